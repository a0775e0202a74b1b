"""Tiny weights in the published layouts."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay_training.diff_agiqa.checkpoint import Sources
from assay_training.diff_agiqa.config import TINY
from assay_training.diff_agiqa.random_weights import write_diffusion, write_head


@pytest.fixture(scope="session")
def sources(tmp_path_factory) -> Sources:
    """A folder of diffusers and a head."""
    work: Path = tmp_path_factory.mktemp("diff")
    return Sources(write_diffusion(TINY, work / "sd", 0), write_head(TINY, work / "head.pt", 0))
