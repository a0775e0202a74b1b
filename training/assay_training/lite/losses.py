"""Loss terms. Predictions and targets are in units of one standard deviation of the MOS."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

MARGIN = 0.1  # by how much a heavier degradation should score lower


def rank_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """Pairwise logistic loss over a batch [N] (RankNet, Burges et al. 2005), weighted by the MOS gap."""
    gap = target[:, None] - target[None, :]
    weight = gap.abs().clamp(max=1.5)
    loss = F.softplus(-(predicted[:, None] - predicted[None, :]) * gap.sign())
    return (weight * loss).sum() / weight.sum().clamp(min=1e-6)


def plcc_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """1 - Pearson correlation over a batch [N]."""
    return 1 - F.cosine_similarity(predicted - predicted.mean(), target - target.mean(), dim=0)


def order_loss(better: Tensor, worse: Tensor) -> Tensor:
    """Hinge: no pull once each `better` [K] exceeds its `worse` [K] by MARGIN."""
    return F.relu(worse - better + MARGIN).mean()
