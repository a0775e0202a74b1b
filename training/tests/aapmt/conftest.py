"""Tiny checkpoints of the published layout, and images and texts to score with them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from assay_training.aapmt.checkpoint import load, random_checkpoint
from assay_training.aapmt.config import TINY
from assay_training.aapmt.model import ImageReward

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def reward_file(tmp_path_factory) -> Path:
    """A checkpoint with the keys of ImageReward.pt."""
    path = tmp_path_factory.mktemp("checkpoints") / "ImageReward.pt"
    random_checkpoint(TINY, path, seed=0)
    return path


@pytest.fixture(scope="session")
def metric_file(tmp_path_factory) -> Path:
    """A checkpoint with a Metric Transformer."""
    path = tmp_path_factory.mktemp("checkpoints") / "ImageReward.pt"
    random_checkpoint(TINY, path, seed=1, metric_transformer=True)
    return path


@pytest.fixture(scope="session")
def reward(reward_file) -> ImageReward:
    return load(reward_file, TINY).model


@pytest.fixture(scope="session")
def metric(metric_file) -> ImageReward:
    return load(metric_file, TINY).model


@pytest.fixture(scope="session")
def images() -> Tensor:
    """uint8 [3, 224, 224, 3]: blocks of noise of different size and brightness."""
    generator = torch.Generator().manual_seed(2)
    drawn = []
    for size, most in ((4, 256), (16, 100), (56, 200)):
        noise = torch.randint(most, (224 // size, 224 // size, 3), generator=generator, dtype=torch.uint8)
        drawn.append(noise.repeat_interleave(size, 0).repeat_interleave(size, 1))
    return torch.stack(drawn)


@pytest.fixture(scope="session")
def texts() -> tuple[Tensor, Tensor]:
    """Ids and mask int64 [3, 3, 35]: three texts of different lengths about each image."""
    ids = torch.randint(1000, 30522, (3, 3, 35), generator=torch.Generator().manual_seed(3))
    ids[..., 0] = 101
    lengths = torch.tensor([[12, 35, 5], [12, 20, 5], [12, 2, 5]])
    mask = (torch.arange(35) < lengths[..., None]).long()
    return ids * mask, mask
