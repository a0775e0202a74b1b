"""Out-of-fold scores per image in a table, so that the next scorer can be compared with this one, paired.

Scores of the first seed, which ships, stand under the name of what is predicted, those of others under it and
their number: `quality`, `quality 1`.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from assay_training.calibration import cross_fitted
from assay_training.data import Ratings
from assay_training.tower.held import Held


def write_predictions(path: Path, ratings: Ratings, held: Held) -> None:
    """As in `measure`, quality and alignment are calibrated on the other folds, and unseen is raw."""
    columns, fold = {}, ratings.fold
    for seed in range(len(held.quality)):
        end = f" {seed}" if seed else ""
        columns[f"quality{end}"] = cross_fitted(held.quality[seed], ratings.quality, fold)["score"]
        columns[f"alignment{end}"] = cross_fitted(held.alignment[seed], ratings.alignment, fold)["score"]
        columns[f"unseen{end}"] = held.unseen[seed, :, 0]
    rows = [
        [name, *(f"{value:.4f}" for value in values)]
        for name, *values in zip(ratings.name, *columns.values(), strict=True)
    ]
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([["name", *columns], *rows])


def read_predictions(path: Path, ratings: Ratings) -> dict[str, np.ndarray] | None:
    """Columns of a scorer's file in the order of the ratings, or None if there is no such file."""
    if not path.is_file():
        return None
    with path.open(newline="", encoding="utf-8") as file:
        found = {row["name"]: row for row in csv.DictReader(file)}
    columns = [key for key in next(iter(found.values())) if key != "name"]
    return {key: np.array([float(found[str(name)][key]) for name in ratings.name]) for key in columns}


def seeds_of(predictions: dict[str, np.ndarray], what: str) -> np.ndarray:
    """[S, N] the scores of all seeds that the file has."""
    return np.stack([values for key, values in predictions.items() if key.split(" ")[0] == what])
