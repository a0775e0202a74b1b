"""Random weights, and arithmetic that shares nothing with the modules under test."""

from __future__ import annotations

import torch
from torch import Tensor, nn


@torch.no_grad()
def scattered(module: nn.Module, seed: int) -> nn.Module:
    """The module with random weights: attention is neither flat nor hard, and norms do something."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in module.named_parameters():
        value.copy_(torch.randn(value.shape, generator=generator))
        if value.ndim > 1 and "embed" not in name:
            value.mul_(1.5 / value[0].numel() ** 0.5)
        elif "norm" in name.lower() and name.endswith("weight"):
            value.mul_(0.3).exp_()
    return module.eval()


def normal(x: Tensor, state: dict[str, Tensor], name: str, epsilon: float) -> Tensor:
    """Layer normalisation by its formula."""
    centred = x - x.mean(-1, keepdim=True)
    deviation = (centred.square().mean(-1, keepdim=True) + epsilon).sqrt()
    return centred / deviation * state[f"{name}.weight"] + state[f"{name}.bias"]


def dense(x: Tensor, state: dict[str, Tensor], name: str) -> Tensor:
    """x Wᵀ + b."""
    return torch.einsum("...i,oi->...o", x, state[f"{name}.weight"]) + state[f"{name}.bias"]


def gelu(x: Tensor) -> Tensor:
    """x Φ(x), exactly."""
    return x * (1 + torch.erf(x / 2**0.5)) / 2


def attention(query: Tensor, key: Tensor, value: Tensor, heads: int, seen: Tensor | None = None) -> Tensor:
    """[Q, W], [K, W], [K, W] to [Q, W], head by head; only keys with `seen` [K] count."""
    size, mixed = query.shape[-1] // heads, []
    for head in range(heads):
        here = slice(head * size, (head + 1) * size)
        weights = torch.einsum("qd,kd->qk", query[:, here], key[:, here]).div(size**0.5).exp()
        if seen is not None:
            weights = weights * seen
        mixed.append(torch.einsum("qk,kd->qd", weights / weights.sum(-1, keepdim=True), value[:, here]))
    return torch.cat(mixed, -1)
