"""Attention in windows that are shifted every other time: a Swin transformer at one resolution.

Liu et al., arXiv 2103.14030, with a convolution behind each layer and a share of what a layer adds, as MANIQA
has it. Names of modules and parameters are those of published checkpoints.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from assay_training.blip.attention import attend
from assay_training.maniqa.config import BranchConfig

MASKED = -100.0  # added to the scores of tokens that lie side by side only since the image was rolled


class Stage(nn.Module):
    """Layers of window attention; what a layer makes counts `scale` beside what it was given."""

    def __init__(self, config: BranchConfig, width: int, scale: float) -> None:
        super().__init__()
        self.scale = scale
        self.layers = nn.ModuleList(
            Layer(config, width, heads, blocks)
            for heads, blocks in zip(config.heads, config.blocks, strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Tokens [N, P, width] to the same."""
        for layer in self.layers:
            x = self.scale * layer(x) + x
        return x


class Layer(nn.Module):
    """Blocks, every second one shifted by half a window, and a convolution over the image."""

    def __init__(self, config: BranchConfig, width: int, heads: int, blocks: int) -> None:
        super().__init__()
        self.places = config.places
        shift = 0 if config.places <= config.window else config.window // 2
        self.blocks = nn.ModuleList(
            Block(config, width, heads, shift * (number % 2)) for number in range(blocks)
        )
        self.conv = nn.Conv2d(width, width, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens [N, P, width] to the same."""
        for block in self.blocks:
            x = block(x)
        image = x.transpose(1, 2).unflatten(2, (self.places, self.places))
        return F.relu(self.conv(image)).flatten(2).transpose(1, 2)


class Block(nn.Module):
    """x + attn(norm1 x) within windows, then x + mlp(norm2 x)."""

    def __init__(self, config: BranchConfig, width: int, heads: int, shift: int) -> None:
        super().__init__()
        self.places, self.window, self.shift = config.places, min(config.window, config.places), shift
        self.norm1 = nn.LayerNorm(width)
        self.attn = WindowAttention(width, heads, self.window, _mask(self.places, self.window, shift))
        self.norm2 = nn.LayerNorm(width)
        self.mlp = Mlp(width, config.hidden)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens [N, P, width] to the same."""
        image = self.norm1(x).unflatten(1, (self.places, self.places))
        if self.shift:
            image = torch.roll(image, (-self.shift, -self.shift), (1, 2))
        image = _joined(self.attn(_windows(image, self.window)), self.places)
        if self.shift:
            image = torch.roll(image, (self.shift, self.shift), (1, 2))
        x = x + image.flatten(1, 2)
        return x + self.mlp(self.norm2(x))


class WindowAttention(nn.Module):
    """Self-attention within windows; how two tokens lie to each other adds to their score."""

    def __init__(self, width: int, heads: int, window: int, mask: Tensor) -> None:
        """mask: [W, T, T], added to the scores of each window."""
        super().__init__()
        self.heads = heads
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.register_buffer("places", _relative_places(window), persistent=False)
        self.register_buffer("mask", mask, persistent=False)
        self.register_buffer("constant", None, persistent=False)

    def bias(self) -> Tensor:
        """[W, heads, T, T] or [1, heads, T, T]: what is added to the scores, whatever the image is."""
        if self.constant is not None:
            return self.constant
        return self.relative_position_bias_table[self.places].permute(2, 0, 1) + self.mask[:, None]

    def freeze(self) -> None:
        """Makes the bias a constant, for export."""
        self.constant = self.bias().detach().contiguous()

    def forward(self, x: Tensor) -> Tensor:
        """[N, W, T, width] to the same."""
        query, key, value = self.qkv(x).chunk(3, -1)
        return self.proj(attend(query, key, value, self.heads, self.bias()))


class Mlp(nn.Module):
    """Two layers with an exact GELU between them."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """[..., width] to the same."""
        return self.fc2(F.gelu(self.fc1(x)))


def _windows(image: Tensor, window: int) -> Tensor:
    """[N, S, S, C] to windows row by row [N, W, window², C]."""
    count = image.shape[1] // window
    parts = image.unflatten(2, (count, window)).unflatten(1, (count, window))
    return parts.transpose(2, 3).flatten(3, 4).flatten(1, 2)


def _joined(windows: Tensor, places: int) -> Tensor:
    """The inverse of `_windows`: [N, W, window², C] to [N, places, places, C]."""
    window = int(windows.shape[2] ** 0.5)
    count = places // window
    parts = windows.unflatten(2, (window, window)).unflatten(1, (count, count))
    return parts.transpose(2, 3).flatten(3, 4).flatten(1, 2)


def _relative_places(window: int) -> Tensor:
    """int64 [T, T]: row of the bias table by how far two tokens of a window lie apart, down and across."""
    y, x = torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij")
    down, across = (one.flatten()[:, None] - one.flatten() + window - 1 for one in (y, x))
    return down * (2 * window - 1) + across


def _mask(places: int, window: int, shift: int) -> Tensor:
    """[W, T, T]: MASKED where a rolled image brought two tokens of different edges into one window."""
    if not shift:
        return torch.zeros(1, window**2, window**2)
    edges = torch.zeros(places, dtype=torch.long)
    edges[places - window :] = 1
    edges[places - shift :] = 2
    part = edges[:, None] * 3 + edges
    parts = _windows(part[None, :, :, None], window)[0, :, :, 0]
    return torch.where(parts[:, :, None] == parts[:, None, :], 0.0, MASKED)
