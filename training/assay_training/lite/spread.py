"""Fits the spread of a net to errors made on images that were new to the net that made them.

A net's errors on its own training images are too small and say nothing about difficulty, so the errors come
from the nets of the folds: each image's error is that of the net that did not see its prompt.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from assay_training.lite.cache import PLAIN, Cache
from assay_training.lite.model import LiteNet

DECAY = 3.0  # pull of the weights towards 0, where every image has the same spread
STEPS = 60


def features(net: LiteNet, cache: Cache, rows: np.ndarray) -> Tensor:
    """Standardised features [len(rows), 3488] of whole cached images."""
    parts = []
    with torch.no_grad():
        for part in np.array_split(rows, max(1, len(rows) // 16)):
            early = torch.from_numpy(cache.early[part, PLAIN]).permute(0, 3, 1, 2).float()
            parts.append(net.features(early, torch.from_numpy(cache.stats[part, PLAIN])))
    return torch.cat(parts)


def fit_spread(net: LiteNet, inputs: Tensor, errors: Tensor, decay: float = DECAY) -> float:
    """Sets net.spread to maximise the Laplace likelihood of absolute errors [N, 2] given features [N, 3488].

    Returns the mean negative log likelihood reached, up to a constant.
    """
    net.requires_grad_(False)
    net.spread.weight.zero_()
    net.spread.bias.copy_(torch.log(torch.expm1(errors.mean(0) - net.FLOOR)))  # inverse of softplus
    net.spread.requires_grad_(True)
    optimizer = torch.optim.LBFGS(net.spread.parameters(), max_iter=STEPS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = laplace(net.spreads(inputs), errors) + decay * net.spread.weight.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    net.spread.requires_grad_(False)
    return laplace(net.spreads(inputs), errors).item()


def laplace(spread: Tensor, errors: Tensor) -> Tensor:
    """Mean negative log likelihood, up to a constant, of absolute errors under Laplace distributions."""
    return (spread.log() + errors / spread).mean()
