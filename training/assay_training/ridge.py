"""Ridge regression in its dual form: cheap when there are more features than rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Ridge:
    """Linear map on standardised features: y = ((x - centre) / scale) @ weight.T + bias."""

    centre: np.ndarray
    scale: np.ndarray
    weight: np.ndarray
    bias: np.ndarray

    def predict(self, features: np.ndarray) -> np.ndarray:
        """[N, D] to [N, K]."""
        return ((features - self.centre) / self.scale) @ self.weight.T + self.bias


def ridge(features: np.ndarray, targets: np.ndarray, strength: float) -> Ridge:
    """Fits targets [N, K] from features [N, D], minimising squared error + strength * |weight|^2."""
    x = features.astype(np.float64)
    centre, scale = x.mean(0), x.std(0) + 1e-6
    z = (x - centre) / scale
    bias = targets.mean(0).astype(np.float64)
    dual = np.linalg.solve(z @ z.T + strength * np.eye(len(z)), targets - bias)
    parts = (centre, scale, (z.T @ dual).T, bias)
    return Ridge(*(part.astype(np.float32) for part in parts))
