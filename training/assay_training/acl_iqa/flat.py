"""Layers of CLIP's blocks on flat tokens [N T, width], where products with weights are single operations."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from assay_training.clip.model import GELU, Attention, Mlp, merge_heads, split_heads


class Dense(nn.Module):
    """x @ weight + bias of flat tokens, as one operation of onnxruntime (a Gemm)."""

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        """The weight as nn.Linear keeps it, [out, in]."""
        super().__init__()
        self.register_buffer("weight", weight.detach().T.contiguous())
        self.register_buffer("bias", None if bias is None else bias.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        """[M, in] to [M, out]."""
        return x @ self.weight if self.bias is None else torch.addmm(self.bias, x, self.weight)


class FusedMlp(nn.Module):
    """CLIP's MLP on flat tokens."""

    def __init__(self, mlp: Mlp) -> None:
        super().__init__()
        self.up, self.down = Dense(mlp.c_fc.weight, mlp.c_fc.bias), Dense(mlp.c_proj.weight, mlp.c_proj.bias)

    def forward(self, x: Tensor) -> Tensor:
        """[M, width] to the same."""
        y = self.up(x)
        return self.down(y * torch.sigmoid(GELU * y))


class FusedAttention(nn.Module):
    """Self-attention of flat tokens.

    A bias of the keys adds the same to all scores of a query, which the softmax takes out again. Attention
    weights add up to 1, so the bias of the values reaches the output as it is.
    """

    def __init__(self, attention: Attention, tokens: int) -> None:
        super().__init__()
        self.heads, self.tokens = attention.heads, tokens
        query, key, value = attention.in_proj_weight.chunk(3)
        bias, _, value_bias = attention.in_proj_bias.chunk(3)
        scale = (query.shape[0] // self.heads) ** -0.5
        self.query, self.key, self.value = Dense(query * scale, bias * scale), Dense(key), Dense(value)
        out = attention.out_proj
        self.out = Dense(out.weight, out.bias + out.weight @ value_bias)

    def forward(self, x: Tensor) -> Tensor:
        """[N T, width] to the same."""
        q, k, v = (self._heads(part(x)) for part in (self.query, self.key, self.value))
        return self.out(merge_heads((q @ k.transpose(-1, -2)).softmax(-1) @ v).flatten(0, 1))

    def _heads(self, x: Tensor) -> Tensor:
        return split_heads(x.unflatten(0, (-1, self.tokens)), self.heads)


class ClassAttention(FusedAttention):
    """The same if only the class token asks: keys and values of the others are never made.

    A score is (query @ key matrix of the head) @ token; a head reads (weights @ tokens) @ its value matrix.
    """

    def __init__(self, attention: Attention, tokens: int) -> None:
        super().__init__(attention, tokens)
        _, key, value = (
            part.detach().unflatten(0, (self.heads, -1)) for part in attention.in_proj_weight.chunk(3)
        )
        self.key, self.value = None, None
        self.register_buffer("keys", key.contiguous())  # [heads, size, width]
        self.register_buffer("values", value.transpose(1, 2).contiguous())  # [heads, width, size]

    def forward(self, x: Tensor) -> Tensor:
        """[N T, width] to [N, width]: of each view what the class token reads."""
        x = x.unflatten(0, (-1, self.tokens))
        q = self.query(x[:, 0]).unflatten(-1, (self.heads, -1)).transpose(0, 1)  # [heads, N, size]
        scores = (q @ self.keys).transpose(0, 1) @ x.transpose(1, 2)  # [N, heads, T]
        read = (scores.softmax(-1) @ x).transpose(0, 1) @ self.values  # [heads, N, size]
        return self.out(read.transpose(0, 1).flatten(1))


def class_tokens(x: Tensor, tokens: int) -> Tensor:
    """[N T, width] to the first token of each view, [N, width]."""
    return x.unflatten(0, (-1, tokens))[:, 0]
