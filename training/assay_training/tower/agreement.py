"""Agreement of out-of-fold scores with ratings: bootstrap over prompts, paired to another scorer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from assay_training import metrics
from assay_training.data import FAMILIES, Ratings

DRAWS = 300
BEST_DRAWS = 2000  # of the choice among four, whose interval is wide and ends near 0

# of scores [N], on rows; a prompt that was drawn twice has its rows twice
Measure = Callable[[np.ndarray, np.ndarray], float]


def agreement(ratings: Ratings, score: np.ndarray, rated: np.ndarray, last: np.ndarray | None) -> dict:
    """Of score [S, N], S seeds, with ratings [N]: pooled, inside generators, choosing among four.

    last: [N] the scores of another scorer, for the paired gain over it.
    """
    generator = ratings.generator
    measures: dict[str, Measure] = {
        "srcc": lambda s, rows: metrics.srcc(s[rows], rated[rows]),
        "plcc": lambda s, rows: metrics.plcc(s[rows], rated[rows]),
        "krcc": lambda s, rows: metrics.krcc(s[rows], rated[rows]),
        "rmse": lambda s, rows: metrics.rmse(s[rows], rated[rows]),
        "withinMean": lambda s, rows: metrics.within_mean(s[rows], rated[rows], generator[rows]),
        "bestOf4": lambda s, rows: _best_of_4(ratings, s, rated, rows),
    }
    table = {
        name: over_prompts(ratings, score, measure, last, BEST_DRAWS if name == "bestOf4" else DRAWS)
        for name, measure in measures.items()
    }
    table["within"] = {
        name: float(np.mean([metrics.srcc(s[generator == name], rated[generator == name]) for s in score]))
        for name in np.unique(generator).tolist()
    }
    return table


def over_prompts(
    ratings: Ratings,
    score: np.ndarray,
    measure: Measure,
    last: np.ndarray | None = None,
    draws: int | None = None,
) -> dict:
    """Mean over seeds, their values, an interval; with `last` the paired difference to it and its own."""
    everything, draws = np.arange(len(ratings)), draws or DRAWS

    def mean(rows: np.ndarray) -> float:
        return float(np.mean([measure(one, rows) for one in score]))

    def gain(rows: np.ndarray) -> float:
        return mean(rows) - measure(last, rows)

    entry = {
        "value": mean(everything),
        "seeds": [measure(one, everything) for one in score],
        "ci": metrics.interval(mean, ratings.prompt, draws),
    }
    if last is not None:
        entry["gain"] = {"value": gain(everything), "ci": metrics.interval(gain, ratings.prompt, draws)}
    return entry


def _best_of_4(ratings: Ratings, score: np.ndarray, rated: np.ndarray, rows: np.ndarray) -> float:
    """Share of what choosing among four SD 1.5 images of a prompt can gain."""
    rows = rows[np.isin(ratings.generator[rows], FAMILIES["SD1.5"])]
    return metrics.best_of(score, rated, ratings.prompt, rows)["gain"] if len(rows) else 0.0
