"""The head with a fraction of the products: exact, but for the order of sums.

Four of the five activations are small maps of which every pixel is repeated 2 x 2 or 4 x 4 times before the
convolutions. A convolution is a sum over its places of one product a pixel, and equal pixels have equal
products. So each place is multiplied with the small map alone, once for all branches, and what it gives is
laid out on the large one: along each axis, place d and pixel i of the small map fall together on those pixels
q of the large one for which (q + d - k / 2) is in i's. Fixed matrices of ones and zeros add them up, and what
falls over the edge is left out, which is what padding with zeros does. Batch norms are in the weights.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from assay_training.diff_agiqa.config import KERNELS, Config
from assay_training.diff_agiqa.head import TOP, Head, Norm, Pyramid


class FlatHead(nn.Module):
    """Takes the weights of a head, which is of no use any more; maps have their channels last."""

    @torch.no_grad()
    def __init__(self, head: Head, config: Config) -> None:
        super().__init__()
        self.side, self.pyramids = config.map_side, nn.ModuleList()
        for number, (_, repeats) in enumerate(config.taps):
            self.pyramids.append(FlatPyramid(head.pyramid_extractors[number], self.side, repeats))
            head.pyramid_extractors[number] = None  # the largest part of the net, not kept twice
        self.attentions = head.cross_attentions
        fusion = head.fusion_quality
        self.first = linear(fusion[0], fusion[1])
        self.second, self.third = normed(fusion[3], fusion[4]), normed(fusion[6], fusion[7])
        self.regression = head.quality_head[2:]  # behind the mean over the map

    def forward(self, taps: tuple[Tensor, ...]) -> Tensor:
        """Five [N, H W, channels] to the score [N, 1] in 0..TOP."""
        found = [
            attended(attention, pyramid(tap))
            for tap, pyramid, attention in zip(taps, self.pyramids, self.attentions, strict=True)
        ]
        x = F.relu(self.first(torch.cat(found, -1)))
        x = x.transpose(1, 2).unflatten(2, (self.side, self.side))
        x = F.relu(self.third(F.relu(self.second(x))))
        return TOP * self.regression(x.mean((2, 3)))


class FlatPyramid(nn.Module):
    """All branches as one product with the small map."""

    def __init__(self, pyramid: Pyramid, side: int, repeats: int) -> None:
        super().__init__()
        self.small = side // repeats
        weights, biases = [], []
        for conv, norm, _ in pyramid.branches:
            factor, summand = norm.affine()
            weights.append((conv.weight * factor[:, None, None, None]).permute(1, 2, 3, 0).flatten(1))
            biases.append(factor * conv.bias + summand)
        self.weight, self.biases = nn.Parameter(torch.cat(weights, 1)), nn.ParameterList(biases)
        self.sizes = [part.shape[1] for part in weights]
        for kernel in KERNELS:
            self.register_buffer(f"layout_{kernel}", layout(side, repeats, kernel))
        self.fusion = linear(pyramid.fusion[0], pyramid.fusion[1])

    def forward(self, tap: Tensor) -> Tensor:
        """[N, small², inner] to [N, side², width]."""
        parts = (tap @ self.weight).split(self.sizes, -1)
        found = [
            F.relu(self._laid_out(part, kernel) + bias)
            for part, kernel, bias in zip(parts, KERNELS, self.biases, strict=True)
        ]
        return F.relu(self.fusion(torch.cat(found, -1).flatten(1, 2)))

    def _laid_out(self, part: Tensor, kernel: int) -> Tensor:
        """[N, small², kernel² width] to [N, side, side, width]."""
        small, rows = self.small, getattr(self, f"layout_{kernel}")
        x = part.unflatten(2, (kernel, kernel, -1)).unflatten(1, (small, small))  # n, i, j, d, e, width
        x = x.permute(0, 3, 1, 4, 2, 5).flatten(1, 2).flatten(2)  # n, d i, e j width
        x = (rows @ x).unflatten(2, (kernel * small, -1))  # n, q, e j, width
        return rows @ x


def layout(side: int, repeats: int, kernel: int) -> Tensor:
    """[side, kernel * small]: 1 where place d and small pixel i meet on pixel q of the large map."""
    small = side // repeats
    found = torch.zeros(side, kernel, small)
    for q in range(side):
        for d in range(kernel):
            i = (q + d - kernel // 2) // repeats
            if 0 <= i < small:
                found[q, d, i] = 1
    return found.flatten(1)


def attended(attention: nn.Module, x: Tensor) -> Tensor:
    """MapAttention on [N, T, width]."""
    q, k, v = (
        F.linear(x, layer.weight[:, :, 0, 0], layer.bias)
        for layer in (attention.query, attention.key, attention.value)
    )
    return x + attention.gamma * ((q @ k.transpose(1, 2)).softmax(-1) @ v)


@torch.no_grad()
def normed(conv: nn.Conv2d, norm: Norm) -> nn.Conv2d:
    """The convolution with the norm in its weights."""
    factor, summand = norm.affine()
    conv.weight *= factor[:, None, None, None]
    conv.bias.copy_(factor * conv.bias + summand)
    return conv


def linear(conv: nn.Conv2d, norm: Norm) -> nn.Linear:
    """The same of a 1 x 1 convolution, as a layer for maps with their channels last."""
    merged = normed(conv, norm)
    layer = nn.Linear(merged.in_channels, merged.out_channels, device="meta")
    layer.weight = nn.Parameter(merged.weight[:, :, 0, 0].detach())
    layer.bias = merged.bias
    return layer
