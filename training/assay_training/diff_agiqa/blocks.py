"""What UNet and VAE of Stable Diffusion are built of. Names of parameters are those of diffusers.

Rombach et al., "High-Resolution Image Synthesis with Latent Diffusion Models", arXiv 2112.10752.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from assay_training.clip.model import attend, merge_heads, split_heads

QUERIES = 1024  # that attend at once: all 4096 of 64 x 64 take half a gigabyte a matrix


class Resnet(nn.Module):
    """Two convolutions beside a shortcut; `time` is the width of what is added after the first one."""

    def __init__(self, inner: int, outer: int, groups: int, eps: float, time: int = 0) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(groups, inner, eps), nn.GroupNorm(groups, outer, eps)
        self.conv1 = nn.Conv2d(inner, outer, 3, padding=1)
        self.conv2 = nn.Conv2d(outer, outer, 3, padding=1)
        self.time_emb_proj = nn.Linear(time, outer) if time else None
        self.conv_shortcut = nn.Conv2d(inner, outer, 1) if inner != outer else None

    def forward(self, x: Tensor) -> Tensor:
        """[N, inner, H, W] to [N, outer, H, W]; the time is in the bias of conv1, see fold_time."""
        h = self.conv1(F.silu(self.norm1(x)))
        h = self.conv2(F.silu(self.norm2(h)))
        return h + (x if self.conv_shortcut is None else self.conv_shortcut(x))

    @torch.no_grad()
    def fold_time(self, embedding: Tensor) -> None:
        """Puts what a fixed time embedding [time] adds into the first bias, which is all that it does."""
        self.conv1.bias += self.time_emb_proj(F.silu(embedding))
        self.time_emb_proj = None


class Attention(nn.Module):
    """Attention of tokens to themselves or to a context; queries, keys and values have no bias."""

    def __init__(self, width: int, heads: int, context: int | None = None) -> None:
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_k = nn.Linear(context or width, width, bias=False)
        self.to_v = nn.Linear(context or width, width, bias=False)
        self.to_out = nn.ModuleList([nn.Linear(width, width)])

    def forward(self, x: Tensor, context: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        """[N, T, width] and context [N, S, …] to [N, T, width]; mask [N, 1, 1, S] is added to the scores."""
        known = x if context is None else context
        q, k, v = (
            split_heads(part, self.heads) for part in (self.to_q(x), self.to_k(known), self.to_v(known))
        )
        found = [attend(part, k, v, mask) for part in q.split(QUERIES, 2)]
        return self.to_out[0](merge_heads(torch.cat(found, 2)))


class GatedProjection(nn.Module):
    """Values times GELU of gates (Shazeer, arXiv 2002.05202)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Linear(width, 8 * width)

    def forward(self, x: Tensor) -> Tensor:
        """[N, T, width] to [N, T, 4 width]."""
        value, gate = self.proj(x).chunk(2, -1)
        return value * F.gelu(gate)


class FeedForward(nn.Module):
    """Gated layer and back; without its last layer where only the activations inside are wanted."""

    def __init__(self, width: int, whole: bool) -> None:
        super().__init__()
        self.net = nn.ModuleDict({"0": GatedProjection(width)})
        if whole:
            self.net["2"] = nn.Linear(4 * width, width)


class TransformerBlock(nn.Module):
    """Attention to itself, to the context, and a feed-forward layer, each on what was normed before."""

    def __init__(self, width: int, heads: int, context: int, whole: bool) -> None:
        super().__init__()
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        self.attn1, self.attn2 = Attention(width, heads), Attention(width, heads, context)
        self.ff = FeedForward(width, whole)

    def forward(self, x: Tensor, context: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Tokens [N, T, width] to those after both attentions, and to activations [N, T, 4 width] inside."""
        x = x + self.attn1(self.norm1(x))
        x = x + self.attn2(self.norm2(x), context, mask)
        return x, self.ff.net["0"](self.norm3(x))


class Transformer(nn.Module):
    """One block on the pixels of a map; not `whole`: only for the activations inside."""

    def __init__(self, width: int, heads: int, context: int, groups: int, whole: bool = True) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, width, 1e-6)
        self.proj_in = nn.Conv2d(width, width, 1)
        self.transformer_blocks = nn.ModuleList([TransformerBlock(width, heads, context, whole)])
        self.proj_out = nn.Conv2d(width, width, 1) if whole else None

    def forward(self, x: Tensor, context: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """[N, width, H, W] to the same and to the activations inside [N, H W, 4 width]."""
        block = self.transformer_blocks[0]
        tokens = pointwise(self.proj_in, self.norm(x).flatten(2).transpose(1, 2))
        tokens, inside = block(tokens, context, mask)
        if self.proj_out is None:
            return x, inside
        y = pointwise(self.proj_out, tokens + block.ff.net["2"](inside))
        return x + y.transpose(1, 2).unflatten(2, x.shape[2:]), inside


def pointwise(layer: nn.Conv2d, tokens: Tensor) -> Tensor:
    """A 1 x 1 convolution on tokens [N, T, inner]: a product of matrices, which has a form in 8 bits."""
    return F.linear(tokens, layer.weight[:, :, 0, 0], layer.bias)
