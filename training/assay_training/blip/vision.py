"""BLIP's image encoder: a pre-norm ViT-L/16 whose tokens are all handed on.

Dosovitskiy et al., arXiv 2010.11929. Names of modules and parameters are those of published checkpoints
(`visual_encoder.blocks.0.attn.qkv.weight`, …).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from assay_training.blip.attention import attend

EPSILON = 1e-6


@dataclass(frozen=True)
class VisionConfig:
    """Sizes of the image encoder; the defaults are ViT-L/16 at 224 pixels."""

    side: int = 224  # of the input in pixels
    patch: int = 16
    width: int = 1024
    depth: int = 24
    heads: int = 16
    hidden: int = 4096

    @property
    def tokens(self) -> int:
        """The class token and the patches."""
        return (self.side // self.patch) ** 2 + 1


class VisionEncoder(nn.Module):
    """Images to tokens."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.width))
        self.pos_embed = nn.Parameter(torch.zeros(1, config.tokens, config.width))
        self.patch_embed = PatchEmbedding(config)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.width, EPSILON)

    def forward(self, images: Tensor) -> Tensor:
        """Images [N, 3, side, side], CLIP-normalised, to tokens [N, tokens, width], class token first."""
        patches = self.patch_embed(images)
        first = self.cls_token.expand(images.shape[0], -1, -1)
        x = torch.cat([first, patches], 1) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


class PatchEmbedding(nn.Module):
    """Patches as tokens, row by row."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, config.width, config.patch, config.patch)

    def forward(self, images: Tensor) -> Tensor:
        """[N, 3, side, side] to [N, tokens - 1, width]."""
        return self.proj(images).flatten(2).transpose(1, 2)


class Block(nn.Module):
    """x + attn(norm1 x), then x + mlp(norm2 x)."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.width, EPSILON)
        self.attn = Attention(config)
        self.norm2 = nn.LayerNorm(config.width, EPSILON)
        self.mlp = Mlp(config)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens [N, T, width] to the same."""
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Attention(nn.Module):
    """Self-attention with query, key and value in one matrix."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.qkv = nn.Linear(config.width, 3 * config.width)
        self.proj = nn.Linear(config.width, config.width)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens [N, T, width] to the same."""
        query, key, value = self.qkv(x).chunk(3, -1)
        return self.proj(attend(query, key, value, self.heads))


class Mlp(nn.Module):
    """Two layers with an exact GELU between them."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.fc1 = nn.Linear(config.width, config.hidden)
        self.fc2 = nn.Linear(config.hidden, config.width)

    def forward(self, x: Tensor) -> Tensor:
        """[..., width] to the same."""
        return self.fc2(F.gelu(self.fc1(x)))
