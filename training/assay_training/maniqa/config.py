"""Sizes of the branch, read off the tensors of a checkpoint, and what checkpoints do not say of themselves.

Yang et al., "MANIQA", arXiv 2204.08958.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isqrt

from torch import Tensor

from assay_training.blip.vision import VisionConfig

TAPS = (6, 7, 8, 9)  # blocks of the transformer whose tokens are read, from 0
HEAD_WIDTH = 64  # numbers a head of the transformer, in all sizes that are published


@dataclass(frozen=True)
class BranchConfig:
    """Sizes of the branch; the defaults are the published ones.

    vision: of the transformer, whose depth ends with the last of TAPS. tabs: attentions over channels before
    each stage. window, heads, blocks, hidden: of both stages of windows; heads by layer.
    """

    vision: VisionConfig = field(
        default_factory=lambda: VisionConfig(
            side=224, patch=8, width=768, depth=max(TAPS) + 1, heads=12, hidden=3072
        )
    )
    tabs: int = 2
    window: int = 4
    heads: tuple[int, ...] = (4, 4)
    blocks: tuple[int, ...] = (2, 2)
    hidden: int = 768

    @property
    def places(self) -> int:
        """Patches along a side."""
        return self.vision.side // self.vision.patch

    @property
    def patches(self) -> int:
        """Patches of an image."""
        return self.places**2


@dataclass(frozen=True)
class TrainedOn:
    """What belongs to weights, but is not stored with them.

    scale: of what a layer of windows adds. view: `windows` of the image at its own size, or its `whole`.
    """

    title: str
    scale: float
    view: str


VIEWS = ("windows", "whole")
SETS = {
    "koniq10k": TrainedOn("KonIQ-10k", 0.8, "whole"),
    "kadid10k": TrainedOn("KADID-10k", 0.8, "windows"),
    "pipal22": TrainedOn("PIPAL", 0.13, "windows"),
}


def sizes_of(state: Mapping[str, Tensor]) -> BranchConfig:
    """The sizes that the tensors of a state dict have. Raises LookupError or ValueError for another net."""
    width, _, patch, _ = state["vit.patch_embed.proj.weight"].shape
    places = isqrt(state["vit.pos_embed"].shape[1] - 1)
    layers = range(_count(state, "swintransformer1.layers.{}.conv.weight"))
    first = "swintransformer1.layers.{}.blocks.0.attn.relative_position_bias_table"
    rows, _ = state[first.format(0)].shape
    return BranchConfig(
        VisionConfig(
            side=places * patch,
            patch=patch,
            width=width,
            depth=max(TAPS) + 1,
            heads=max(1, width // HEAD_WIDTH),
            hidden=state["vit.blocks.0.mlp.fc1.weight"].shape[0],
        ),
        tabs=_count(state, "tablock1.{}.c_q.weight"),
        window=(isqrt(rows) + 1) // 2,
        heads=tuple(state[first.format(layer)].shape[1] for layer in layers),
        blocks=tuple(
            _count(state, f"swintransformer1.layers.{layer}.blocks.{{}}.norm1.weight") for layer in layers
        ),
        hidden=state["swintransformer1.layers.0.blocks.0.mlp.fc1.weight"].shape[0],
    )


def _count(state: Mapping[str, Tensor], key: str) -> int:
    """How many of the keys with 0, 1, … in their place there are."""
    number = 0
    while key.format(number) in state:
        number += 1
    return number
