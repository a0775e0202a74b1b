"""Agreement between predicted and rated scores, with bootstrap intervals over prompts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import stats

DRAWS = 1000


def srcc(predicted: np.ndarray, rated: np.ndarray) -> float:
    """Spearman's rank correlation, -1..1."""
    return float(stats.spearmanr(predicted, rated).statistic)


def plcc(predicted: np.ndarray, rated: np.ndarray) -> float:
    """Pearson's linear correlation, -1..1; no curve is fitted first."""
    return float(np.corrcoef(predicted, rated)[0, 1])


def krcc(predicted: np.ndarray, rated: np.ndarray) -> float:
    """Kendall's tau-b, -1..1."""
    return float(stats.kendalltau(predicted, rated).statistic)


def rmse(predicted: np.ndarray, rated: np.ndarray) -> float:
    """Root mean squared error in MOS units."""
    return float(np.sqrt(np.mean((predicted - rated) ** 2)))


def within(predicted: np.ndarray, rated: np.ndarray, group: np.ndarray) -> dict[str, float]:
    """SRCC inside each group, and their plain mean under "mean"."""
    each = {str(name): srcc(predicted[group == name], rated[group == name]) for name in np.unique(group)}
    return each | {"mean": float(np.mean(list(each.values())))}


def within_mean(predicted: np.ndarray, rated: np.ndarray, group: np.ndarray) -> float:
    """Mean over groups of the SRCC inside each group."""
    return within(predicted, rated, group)["mean"]


def covered(rated: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
    """Share of ratings inside their intervals, 0..1."""
    return float(np.mean((rated >= low) & (rated <= high)))


def best_of(
    predicted: np.ndarray, rated: np.ndarray, prompt: np.ndarray, rows: np.ndarray | None = None
) -> dict[str, float]:
    """Picks the highest predicted image of each prompt.

    rows: the images that count, all by default; a prompt that a bootstrap drew twice counts twice. Returns
    the mean MOS of the pick, of a random choice and of the best one, and
    gain = (pick - random) / (best - random).
    """
    rows = np.arange(len(rated)) if rows is None else rows
    images, times = np.unique(rows, return_counts=True)
    _, place, sizes = np.unique(prompt[images], return_inverse=True, return_counts=True)
    sets = np.split(np.argsort(place, kind="stable"), np.cumsum(sizes)[:-1])
    sets = [members for members in sets if len(members) > 1]
    weights = [times[members].mean() for members in sets]  # how often the prompt was drawn
    scores, values = predicted[images], rated[images]
    pick = np.average([values[members[np.argmax(scores[members])]] for members in sets], weights=weights)
    random = np.average([values[members].mean() for members in sets], weights=weights)
    best = np.average([values[members].max() for members in sets], weights=weights)
    return {
        "pick": float(pick),
        "random": float(random),
        "best": float(best),
        "gain": float((pick - random) / (best - random)),
    }


def interval(
    measure: Callable[[np.ndarray], float], prompt: np.ndarray, draws: int = DRAWS, seed: int = 0
) -> list[float]:
    """95 % percentile bootstrap interval [low, high] of `measure(rows)`, drawing whole prompts."""
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(prompt == name) for name in np.unique(prompt)]
    values = [
        measure(np.concatenate([members[i] for i in rng.integers(0, len(members), len(members))]))
        for _ in range(draws)
    ]
    return [float(value) for value in np.percentile(values, [2.5, 97.5])]
