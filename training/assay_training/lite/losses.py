"""Loss terms. Predictions and targets are in units of one standard deviation of the MOS."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

MARGIN = 0.1  # by how much a heavier degradation should score lower
SOFTNESS = 0.25


def rank_loss(predicted: Tensor, target: Tensor, same: Tensor, same_weight: float) -> Tensor:
    """Pairwise logistic loss over a batch [N] (RankNet, Burges et al. 2005), weighted by the MOS gap.

    `same` [N, N] marks pairs of one generator, which count `same_weight` times.
    """
    gap = target[:, None] - target[None, :]
    weight = gap.abs().clamp(max=1.5) * torch.where(same, same_weight, 1.0)
    loss = F.softplus(-(predicted[:, None] - predicted[None, :]) * gap.sign())
    return (weight * loss).sum() / weight.sum().clamp(min=1e-6)


def plcc_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """1 - Pearson correlation over a batch [N]."""
    return 1 - F.cosine_similarity(predicted - predicted.mean(), target - target.mean(), dim=0)


def order_loss(better: Tensor, worse: Tensor) -> Tensor:
    """Soft hinge: each `better` [K] should exceed its `worse` [K] by at least MARGIN."""
    return (F.softplus((worse - better + MARGIN) / SOFTNESS) * SOFTNESS).mean()


def laplace_loss(residual: Tensor, spread: Tensor) -> Tensor:
    """Negative log likelihood of residuals under Laplace distributions of scale `spread`, up to a constant."""
    return (spread.log() + residual.abs() / spread).mean()
