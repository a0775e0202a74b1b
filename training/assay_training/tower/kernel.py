"""Kernel ridge regression on a reduced set of landmarks: what turns statistics into ratings.

A Gaussian kernel on principal components. On frozen features it beats a linear layer by far on generators
that it was not trained on, since its prediction falls back to the mean where nothing similar was rated. The
reduced set (subset of regressors; Rasmussen and Williams, 2006, chapter 8.3) keeps the file small.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from assay_training.tower.rounding import Rounded, rounded


@dataclass(frozen=True)
class Projection:
    """Statistics [N, D] to components [N, K]; their mean square length is 1.

    Standardised by centre and scale [D], then multiplied with axes [D, K].
    """

    centre: np.ndarray
    scale: np.ndarray
    axes: Rounded

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return self.standardised(x) @ self.axes.value

    def standardised(self, x: np.ndarray) -> np.ndarray:
        """Statistics [N, D] with mean 0 and deviation 1 on what the projection was fitted to."""
        return (np.asarray(x, np.float32) - self.centre) / self.scale


def fit_projection(x: np.ndarray, size: int, scale: np.ndarray | None = None) -> Projection:
    """Principal components of standardised statistics, by way of the (smaller) matrix of inner products.

    `scale` [D] takes the place of the deviations.
    """
    x = np.asarray(x, np.float32)
    centre, scale = x.mean(0), x.std(0) + 1e-6 if scale is None else scale
    z = (x - centre) / scale
    values, vectors = np.linalg.eigh((z @ z.T).astype(np.float64))
    size = min(size, len(x) - 1)
    values, vectors = values[::-1][:size], vectors[:, ::-1][:, :size]
    axes = z.T @ (vectors / np.sqrt(values)).astype(np.float32)
    axes /= np.sqrt(values.sum() / len(x))
    return Projection(centre, scale, rounded(axes, bits=4))


@dataclass(frozen=True)
class Kernel:
    """exp(-gamma |a - b|^2) against fixed landmarks [M, K]."""

    landmarks: Rounded
    gamma: float

    def __call__(self, components: np.ndarray) -> np.ndarray:
        """[N, K] to [N, M], in 0..1."""
        own = self.landmarks.value
        squared = (components**2).sum(1)[:, None] + (own**2).sum(1)[None] - 2 * components @ own.T
        return np.exp(-self.gamma * np.maximum(squared, 0))


def solve(
    kernel: Kernel,
    components: np.ndarray,
    targets: np.ndarray,
    strength: float,
    trust: np.ndarray | None = None,
    centred: bool = True,
) -> tuple[np.ndarray, np.ndarray]:
    """Weights [M, T] and offset [T] that minimise trust-weighted squared error + strength * |f|^2.

    `trust` [N] says how much each row counts (1 by default). The offset is the mean of the targets; what is
    not `centred` has none, and falls back to 0 far from all landmarks.
    """
    trust = np.ones(len(components)) if trust is None else trust
    offset = np.average(targets, 0, trust) if centred else np.zeros(targets.shape[1])
    features = kernel(components).astype(np.float64)
    weighted = features * trust[:, None]
    prior = kernel(kernel.landmarks.value).astype(np.float64)
    gram = features.T @ weighted + strength * prior + 1e-6 * np.eye(len(prior))
    return np.linalg.solve(gram, weighted.T @ (targets - offset)), offset
