"""CLIP's vision and text transformers, with the parameter names of OpenAI's checkpoints.

Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", arXiv 2103.00020.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

EPSILON = 1e-5
GELU = 1.702  # OpenAI's activation is x * sigmoid(1.702 x)
ACTIVATIONS = ("quick-gelu", "gelu")  # OpenAI's, and that of most of OpenCLIP; weights do not tell which
MEAN = (0.48145466, 0.4578275, 0.40821073)  # of RGB in 0..1, as CLIP normalises
DEVIATION = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class ClipConfig:
    """Sizes of a CLIP; the defaults are ViT-B/32's."""

    side: int = 224  # of the image in pixels
    patch: int = 32
    width: int = 768  # of the image tower
    layers: int = 12
    heads: int = 12
    text_width: int = 512
    text_layers: int = 12
    text_heads: int = 8
    context: int = 77  # ids per text
    vocabulary: int = 49408  # the last two ids are start and end of text
    joint: int = 512  # of the embeddings that are compared
    activation: str = ACTIVATIONS[0]

    @property
    def grid(self) -> int:
        """Patches a side."""
        return self.side // self.patch

    @property
    def tokens(self) -> int:
        """The class token and the patches."""
        return self.grid**2 + 1


class Attention(nn.Module):
    """Self-attention with joint input matrices, as nn.MultiheadAttention names them."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.randn(3 * width, width) * width**-0.5)
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """[N, T, width] to the same; mask [T, T] is added to the scores before the softmax."""
        joined = nn.functional.linear(x, self.in_proj_weight, self.in_proj_bias)
        q, k, v = (split_heads(part, self.heads) for part in joined.chunk(3, -1))
        return self.out_proj(merge_heads(attend(q, k, v, mask)))


def split_heads(x: Tensor, heads: int) -> Tensor:
    """[N, T, heads * size] to [N, heads, T, size]."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def merge_heads(x: Tensor) -> Tensor:
    """[N, heads, T, size] to [N, T, heads * size]."""
    return x.transpose(1, 2).flatten(2)


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """Softmax attention of queries [N, heads, T, size] to keys and values [N, heads, S, size]."""
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    return (scores if mask is None else scores + mask).softmax(-1) @ v


class Mlp(nn.Module):
    """width -> 4 width -> width with one of ACTIVATIONS between."""

    def __init__(self, width: int, activation: str = ACTIVATIONS[0]) -> None:
        super().__init__()
        self.c_fc, self.c_proj = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.exact = activation == "gelu"

    def forward(self, x: Tensor) -> Tensor:
        """[..., width] to the same."""
        y = self.c_fc(x)
        return self.c_proj(nn.functional.gelu(y) if self.exact else y * torch.sigmoid(GELU * y))


class Block(nn.Module):
    """Pre-norm transformer block: x + attention(ln_1 x), then x + mlp(ln_2 x)."""

    def __init__(self, width: int, heads: int, activation: str = ACTIVATIONS[0]) -> None:
        super().__init__()
        self.attn, self.mlp = Attention(width, heads), Mlp(width, activation)
        self.ln_1, self.ln_2 = nn.LayerNorm(width, EPSILON), nn.LayerNorm(width, EPSILON)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """[N, T, width] to the same."""
        x = x + self.attn(self.ln_1(x), mask)
        return x + self.mlp(self.ln_2(x))


class Transformer(nn.Module):
    """Blocks one after another."""

    def __init__(self, width: int, layers: int, heads: int, activation: str = ACTIVATIONS[0]) -> None:
        super().__init__()
        self.resblocks = nn.ModuleList(Block(width, heads, activation) for _ in range(layers))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """[N, T, width] to the same."""
        for block in self.resblocks:
            x = block(x, mask)
        return x


class VisionTransformer(nn.Module):
    """Normalised images to joint embeddings (not of length 1)."""

    def __init__(self, config: ClipConfig) -> None:
        super().__init__()
        width = config.width
        self.conv1 = nn.Conv2d(3, width, config.patch, config.patch, bias=False)
        self.class_embedding = nn.Parameter(torch.randn(width) * width**-0.5)
        self.positional_embedding = nn.Parameter(torch.randn(config.tokens, width) * width**-0.5)
        self.ln_pre, self.ln_post = nn.LayerNorm(width, EPSILON), nn.LayerNorm(width, EPSILON)
        self.transformer = Transformer(width, config.layers, config.heads, config.activation)
        self.proj = nn.Parameter(torch.randn(width, config.joint) * width**-0.5)

    def forward(self, images: Tensor) -> Tensor:
        """[N, 3, side, side], normalised, to [N, joint]."""
        return self.read(self.transformer(self.embed(images)))

    def embed(self, images: Tensor) -> Tensor:
        """[N, 3, side, side], normalised, to what the first block is given, [N, tokens, width]."""
        patches = self.conv1(images).flatten(2).transpose(1, 2)
        first = self.class_embedding.expand(images.shape[0], 1, -1)
        return self.ln_pre(torch.cat([first, patches], 1) + self.positional_embedding)

    def read(self, x: Tensor) -> Tensor:
        """What the last block gives, [N, tokens, width], to [N, joint]."""
        return self.ln_post(x[:, 0]) @ self.proj


class Clip(nn.Module):
    """Both towers; state-dict keys are those of OpenAI's CLIP."""

    def __init__(self, config: ClipConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or ClipConfig()
        width = config.text_width
        self.visual = VisionTransformer(config)
        self.transformer = Transformer(width, config.text_layers, config.text_heads, config.activation)
        self.token_embedding = nn.Embedding(config.vocabulary, width)
        self.positional_embedding = nn.Parameter(torch.randn(config.context, width) * 0.01)
        self.ln_final = nn.LayerNorm(width, EPSILON)
        self.text_projection = nn.Parameter(torch.randn(width, config.joint) * width**-0.5)
        self.logit_scale = nn.Parameter(torch.tensor(100.0).log())
        nn.init.normal_(self.token_embedding.weight, std=0.02)

    def encode_image(self, images: Tensor) -> Tensor:
        """[N, 3, side, side], normalised, to [N, joint], not of length 1."""
        return self.visual(images)

    def encode_text(self, ids: Tensor) -> Tensor:
        """int64 [N, context] to [N, joint], not of length 1."""
        x = self.token_embedding(ids) + self.positional_embedding
        x = self.transformer(x, causal_mask(ids.shape[1], x))
        return at_end(self.ln_final(x), ids) @ self.text_projection


def causal_mask(length: int, like: Tensor) -> Tensor:
    """[length, length]: 0 where a position may look, -inf at later ones; dtype and device as `like`."""
    full = torch.full((length, length), float("-inf"), dtype=like.dtype, device=like.device)
    return full.triu(1)


def at_end(x: Tensor, ids: Tensor) -> Tensor:
    """States [N, T, width] at the end of each text, which is the largest of its ids [N, T]: [N, width]."""
    place = ids.argmax(-1)[:, None, None].expand(-1, 1, x.shape[-1])
    return x.gather(1, place)[:, 0]


def normalised(images: Tensor) -> Tensor:
    """Channels-last images [..., H, W, 3] in 0..255 to CLIP's [..., 3, H, W], float."""
    mean, deviation = (torch.tensor(value, device=images.device) for value in (MEAN, DEVIATION))
    return ((images.float() / 255 - mean) / deviation).movedim(-1, -3)


def unit(x: Tensor) -> Tensor:
    """Scaled to length 1 along the last axis."""
    return x / x.norm(dim=-1, keepdim=True)
