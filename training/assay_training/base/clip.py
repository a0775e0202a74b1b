"""What CLIP makes of the tower's last class token: the embedding that heads of others were fitted to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from assay_training.data import DataError
from assay_training.tower.clip import Stored

EMBEDDING = 512


@dataclass(frozen=True)
class Embedder:
    """Layer norm (gain, shift [W]) and projection [W, EMBEDDING]; the result is scaled to length 1."""

    gain: np.ndarray
    shift: np.ndarray
    projection: np.ndarray


@dataclass(frozen=True)
class Judge:
    """A linear head of others: rating = weight [EMBEDDING] . embedding + bias."""

    weight: np.ndarray
    bias: float


def load_embedder(path: Path, width: int) -> Embedder:
    """From the file that the tower is read from. Raises DataError if it is not the expected graph."""
    stored = Stored(path)
    gain, shift = (
        stored.value(f"vision_model.post_layernorm.{part}", (width,)) for part in ("weight", "bias")
    )
    projection = stored.product("visual_projection", (EMBEDDING, width)).T
    return Embedder(gain.numpy(), shift.numpy(), projection.numpy())


def load_judges(folder: Path) -> tuple[Judge, Judge]:
    """SAC's and LAION's head. Raises DataError if a file is missing."""
    return (
        _judge(folder / "sac_public_2022_06_29_vit_b_16_linear.pth", EMBEDDING**0.5),
        _judge(folder / "sa_0_4_vit_b_16_linear.pth", 1.0),
    )


def _judge(path: Path, length: float) -> Judge:
    """`length` is that of the embeddings which the head was fitted to."""
    if not path.is_file():
        raise DataError(f"{path}: file not found; training/README.md says where it comes from")
    state = torch.load(path, weights_only=True, map_location="cpu")
    weight, bias = (next(v for k, v in state.items() if k.endswith(end)) for end in ("weight", "bias"))
    return Judge(weight.float().numpy().ravel() * length, float(bias))
