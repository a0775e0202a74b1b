"""The head as published: every activation at full size, batch norms as they are.

For parity, and to be folded. Names of parameters are those of the checkpoint.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from assay_training.diff_agiqa.config import KERNELS, Config
from assay_training.diff_agiqa.latents import Prompter

TOP = 5.0  # of the score, which a sigmoid brings to 0..1
GROUPS = 4  # of the second convolution of the fusion
DEAD = (
    "image_prompts.meta_net.*", "cross_attentions.5.*", "fusion_align.*", "align_head.*",
    "*.num_batches_tracked",
)  # fmt: skip


class Norm(nn.Module):
    """A batch norm that has been trained: an affine map of each channel."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))
        self.register_buffer("running_mean", torch.zeros(width))
        self.register_buffer("running_var", torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """[N, width, H, W] to the same."""
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias)

    def affine(self, eps: float = 1e-5) -> tuple[Tensor, Tensor]:
        """Factor and summand of each channel."""
        factor = self.weight / (self.running_var + eps).sqrt()
        return factor, self.bias - factor * self.running_mean


def block(inner: int, outer: int, kernel: int, groups: int = 1) -> nn.Sequential:
    """Convolution, norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inner, outer, kernel, padding=kernel // 2, groups=groups), Norm(outer), nn.ReLU()
    )


class Pyramid(nn.Module):
    """Convolutions of four sizes side by side, and one that joins them."""

    def __init__(self, inner: int, width: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList([block(inner, width, kernel) for kernel in KERNELS])
        self.fusion = block(len(KERNELS) * width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[N, inner, H, W] to [N, width, H, W]."""
        return self.fusion(torch.cat([branch(x) for branch in self.branches], 1))


class MapAttention(nn.Module):
    """Attention of a map to itself, not scaled, times a learned factor, beside a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query, self.key = (nn.Conv2d(width, width // 8, 1) for _ in range(2))
        self.value = nn.Conv2d(width, width, 1)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """[N, width, H, W] to the same."""
        q, k, v = (layer(x).flatten(2) for layer in (self.query, self.key, self.value))
        weights = (q.transpose(1, 2) @ k).softmax(-1)
        return x + self.gamma * (v @ weights.transpose(1, 2)).unflatten(2, x.shape[2:])


class Head(nn.Module):
    """Activations to the score; holds the visual prompter, too, as the checkpoint does."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.side, width = config.map_side, config.branch
        first, second, third = config.fused
        self.image_prompts = Prompter()
        self.pyramid_extractors = nn.ModuleList([Pyramid(inner, width) for inner, _ in config.taps])
        self.cross_attentions = nn.ModuleList([MapAttention(width) for _ in config.taps])
        parts = (
            block(len(config.taps) * width, first, 1),
            block(first, second, 3, GROUPS),
            block(second, third, 3),
        )
        self.fusion_quality = nn.Sequential(*(layer for part in parts for layer in part))
        one, two = config.regression
        self.quality_head = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Flatten(),
            nn.Linear(third, one), nn.ReLU(), nn.Dropout(0.5),
            nn.Linear(one, two), nn.ReLU(), nn.Dropout(0.3),
            nn.Linear(two, 1), nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, taps: tuple[Tensor, ...]) -> Tensor:
        """Five [N, H W, channels] to the score [N, 1] in 0..TOP."""
        return TOP * self.quality_head(self.features(taps))

    def logit(self, taps: tuple[Tensor, ...]) -> Tensor:
        """What the last sigmoid is given, [N, 1]."""
        return self.quality_head[:-1](self.features(taps))

    def features(self, taps: tuple[Tensor, ...]) -> Tensor:
        """What is averaged over the map, [N, third, side, side]."""
        found = []
        for tap, pyramid, attention in zip(taps, self.pyramid_extractors, self.cross_attentions, strict=True):
            side = round(tap.shape[1] ** 0.5)
            x = tap.transpose(1, 2).unflatten(2, (side, side))
            found.append(attention(pyramid(F.adaptive_avg_pool2d(x, self.side))))
        return self.fusion_quality(torch.cat(found, 1))
