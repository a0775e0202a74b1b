"""Tiny checkpoints of the authors' layout."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from assay_training.maniqa.checkpoint import random_checkpoint
from assay_training.maniqa.parity import TINY

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def maniqa_file(tmp_path_factory) -> Path:
    """With dead keys, as the authors' is."""
    path = tmp_path_factory.mktemp("checkpoints") / "maniqa.pt"
    random_checkpoint(TINY, path, seed=0)
    return path
