"""Turns a graph's raw (mean, spread) into a score, an interval with known coverage and a percentile.

The fitted numbers are shipped as data; `apply` is the whole rule, and the daemon implements the same one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import lsq_linear

COVERAGE = 0.9
KNOTS = 8
MIN_SLOPE = 0.25  # keeps the map strictly increasing: two images never tie because of calibration
REACH = 2.0  # raw units beyond the data at which the map meets the ends of the range


@dataclass(frozen=True)
class Calibration:
    """Piecewise-linear map raw mean -> score (knots x, y), interval scale, 101 quantiles of known scores."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    scale: float
    quantiles: tuple[float, ...]
    range: tuple[float, float] = (0.0, 5.0)
    coverage: float = COVERAGE

    def to_json(self) -> dict:
        """The aspect's entry in calibration.json; the range is kept in the manifest."""
        return {
            "map": {"x": list(self.x), "y": list(self.y)},
            "interval": {"coverage": self.coverage, "scale": self.scale},
            "quantiles": list(self.quantiles),
        }

    @staticmethod
    def from_json(entry: dict, limits: tuple[float, float]) -> Calibration:
        """Reads what to_json wrote."""
        return Calibration(
            tuple(entry["map"]["x"]),
            tuple(entry["map"]["y"]),
            entry["interval"]["scale"],
            tuple(entry["quantiles"]),
            (limits[0], limits[1]),
            entry["interval"]["coverage"],
        )

    def score(self, mean: np.ndarray) -> np.ndarray:
        """Raw means [N] to scores; beyond the end knots the end slopes continue until the range ends."""
        x, y = np.array(self.x), np.array(self.y)
        segment = np.clip(np.searchsorted(x, mean, "right") - 1, 0, len(x) - 2)
        slope = (y[segment + 1] - y[segment]) / (x[segment + 1] - x[segment])
        return np.clip(y[segment] + slope * (mean - x[segment]), *self.range)

    def apply(self, raw: np.ndarray) -> dict[str, np.ndarray]:
        """Raw [N, 2] (mean, spread) to score, low, high (in the range) and percentile (0..1), each [N]."""
        raw = np.asarray(raw, np.float64)
        score = self.score(raw[:, 0])
        half = self.scale * raw[:, 1]
        steps = np.linspace(0, 1, len(self.quantiles))
        return {
            "score": score,
            "low": np.clip(score - half, *self.range),
            "high": np.clip(score + half, *self.range),
            "percentile": np.interp(score, self.quantiles, steps),
        }


def fit(raw: np.ndarray, rated: np.ndarray, limits: tuple[float, float] = (0.0, 5.0)) -> Calibration:
    """Fits raw [N, 2] (mean, spread) of images new to the net to their ratings [N] in `limits`."""
    x, y = fit_map(raw[:, 0], rated, limits)
    bare = Calibration(x, y, 1.0, (0.0, 1.0), limits)
    score = bare.score(raw[:, 0])
    scale = conformal_scale(np.abs(rated - score) / raw[:, 1], COVERAGE)
    quantiles = np.quantile(score, np.linspace(0, 1, 101)).round(4)
    for index in range(1, len(quantiles)):  # strictly increasing, so that a score has one percentile
        quantiles[index] = max(quantiles[index], round(quantiles[index - 1] + 1e-4, 4))
    return Calibration(x, y, round(scale, 4), tuple(quantiles.tolist()), limits)


def fit_map(mean: np.ndarray, rated: np.ndarray, limits: tuple[float, float]) -> tuple[tuple, tuple]:
    """Knots of the increasing least-squares fit; two outer knots lead to the ends of the range."""
    x = np.quantile(mean, np.linspace(0.01, 0.99, KNOTS))
    steps = np.diff(x)
    # column 0 is the height of the first knot, column j the rise between knots j-1 and j
    position = (mean[:, None] - x[:-1]) / steps
    low, high = np.zeros(len(steps)), np.ones(len(steps))
    low[0], high[-1] = -np.inf, np.inf
    basis = np.concatenate([np.ones((len(mean), 1)), np.clip(position, low, high)], 1)
    bounds = np.concatenate([[-np.inf], MIN_SLOPE * steps])
    y = np.cumsum(lsq_linear(basis, rated, (bounds, np.inf)).x)
    margin = 0.02 * (limits[1] - limits[0])
    y = np.clip(y, limits[0] + margin, limits[1] - margin)
    x = np.concatenate([[x[0] - REACH], x, [x[-1] + REACH]])
    y = np.concatenate([[limits[0]], y, [limits[1]]])
    return tuple(x.round(5).tolist()), tuple(y.round(5).tolist())


def conformal_scale(ratio: np.ndarray, coverage: float) -> float:
    """The (n + 1) * coverage-th smallest |error| / spread (split conformal prediction; Lei et al. 2018)."""
    rank = min(len(ratio), int(np.ceil((len(ratio) + 1) * coverage)))
    return float(np.sort(ratio)[rank - 1])


def cross_fitted(raw: np.ndarray, rated: np.ndarray, fold: np.ndarray) -> dict[str, np.ndarray]:
    """As fit and apply, but each fold is calibrated on the other folds, so that no number is flattered."""
    found = {name: np.empty(len(raw)) for name in ("score", "low", "high", "percentile")}
    for number in np.unique(fold):
        test = fold == number
        part = fit(raw[~test], rated[~test]).apply(raw[test])
        for name, values in part.items():
            found[name][test] = values
    return found
