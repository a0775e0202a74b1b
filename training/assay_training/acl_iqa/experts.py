"""The six experts: a bottleneck around a convolution that sees differences between neighbouring patches.

All six are stored as 3x3 numbers (three for the two directional ones) and act as one kernel of 5x5; there is
no non-linearity inside an expert.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

KINDS = ("plain", "central", "angular", "radial", "horizontal", "vertical")  # in the order of the checkpoint
RING = (3, 0, 1, 6, 4, 2, 7, 8, 5)  # of the 3x3 positions: each outer one's neighbour on the ring
OUTER = (0, 2, 4, 10, 14, 20, 22, 24)  # of the 5x5 positions, for the weights 1..8
INNER = (6, 7, 8, 11, 13, 16, 17, 18)


class DifferenceConv(nn.Module):
    """A convolution that keeps the size of the map; `kind` says how the stored weights become a kernel."""

    def __init__(self, kind: str, channels: int) -> None:
        super().__init__()
        self.kind = kind
        shape = (channels, channels, 3) if kind in ("horizontal", "vertical") else (channels, channels, 3, 3)
        self.weight = nn.Parameter(torch.empty(shape))
        self.bias = nn.Parameter(torch.zeros(channels))
        nn.init.normal_(self.weight, std=(2 / (3 * channels)) ** 0.5 / 2)

    def kernel(self) -> Tensor:
        """The effective kernel, [out, in, 5, 5]; its dtype and gradient are the weight's."""
        if self.kind == "radial":
            return _radial(self.weight)
        return F.pad(_three(self.kind, self.weight), (1, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """[N, channels, H, W] to the same."""
        return F.conv2d(x, self.kernel(), self.bias, padding=2)


def _three(kind: str, weight: Tensor) -> Tensor:
    """The kernels of size 3x3, [out, in, 3, 3]."""
    if kind == "plain":
        return weight
    if kind == "horizontal":
        return torch.stack([weight, torch.zeros_like(weight), -weight], -1)
    if kind == "vertical":
        return torch.stack([weight, torch.zeros_like(weight), -weight], -2)
    flat, centre = weight.flatten(2), torch.zeros(9, dtype=weight.dtype, device=weight.device)
    centre[4] = 1
    if kind == "central":
        others = (flat * (1 - centre)).sum(-1, keepdim=True)
        return (flat - others * centre).view_as(weight)
    return (flat - flat[..., list(RING)] * (1 - centre)).view_as(weight)


def _radial(weight: Tensor) -> Tensor:
    flat = weight.flatten(2)
    kernel = flat.new_zeros((*flat.shape[:2], 25))
    kernel[..., list(OUTER)] = flat[..., 1:]
    kernel[..., list(INNER)] = -flat[..., 1:]
    kernel[..., 12] = flat[..., 0]
    return kernel.unflatten(-1, (5, 5))


class Expert(nn.Module):
    """width -> bottleneck, convolution, bottleneck -> width.

    The patches form a square map. The class token goes through the same convolution alone, as a map of 1x1,
    so that only the centre of the kernel and the bias reach it.
    """

    def __init__(self, kind: str, width: int, bottleneck: int) -> None:
        super().__init__()
        self.adapter_down = nn.Linear(width, bottleneck)
        self.adapter_conv = DifferenceConv(kind, bottleneck)
        self.adapter_up = nn.Linear(bottleneck, width)
        nn.init.zeros_(self.adapter_up.weight)
        nn.init.zeros_(self.adapter_up.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens [N, 1 + side^2, width] to the same."""
        side = round((x.shape[1] - 1) ** 0.5)
        down = self.adapter_down(x).transpose(1, 2)
        first = self.adapter_conv(down[..., :1, None])
        patches = self.adapter_conv(down[..., 1:].unflatten(-1, (side, side)))
        return self.adapter_up(torch.cat([first[..., 0], patches.flatten(2)], -1).transpose(1, 2))
