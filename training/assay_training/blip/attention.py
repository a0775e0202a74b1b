"""Scaled dot-product attention of several heads, in products that every graph runtime knows."""

from __future__ import annotations

from torch import Tensor


def attend(query: Tensor, key: Tensor, value: Tensor, heads: int, bias: Tensor | None = None) -> Tensor:
    """softmax(q kᵀ / √d + bias) v for each head: [..., Q, W], [..., K, W], [..., K, W] to [..., Q, W].

    Vaswani et al., arXiv 1706.03762. Leading dimensions agree; `bias` is added to scores [..., heads, Q, K].
    """
    size = query.shape[-1] // heads
    q, k, v = (_split(x, heads, size) for x in (query * size**-0.5, key, value))
    scores = q @ k.transpose(-1, -2)
    if bias is not None:
        scores = scores + bias
    return (scores.softmax(-1) @ v).transpose(-2, -3).flatten(-2)


def _split(x: Tensor, heads: int, size: int) -> Tensor:
    """[..., L, W] to [..., heads, L, size]."""
    return x.unflatten(-1, (heads, size)).transpose(-2, -3)
