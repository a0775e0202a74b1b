"""The default policy: a least quality below which images are obviously bad, and how often it is right."""

from __future__ import annotations

import numpy as np

from assay_training.calibration import cross_fitted
from assay_training.data import Ratings

BAD, FINE = 1.0, 2.5  # ratings below and above which an image is to be rejected and not to be
CAUGHT = 0.84  # of the bad ones are rejected where the threshold is chosen
STEP = 0.05


def threshold(high: np.ndarray, rated: np.ndarray) -> float:
    """The least quality at which CAUGHT of the bad images lie below with their whole interval."""
    bad = np.sort(high[rated < BAD])
    return float(np.ceil(bad[int(CAUGHT * len(bad))] / STEP) * STEP)


def policy_table(ratings: Ratings, raw: np.ndarray, foreign: np.ndarray) -> dict:
    """Shares of what the policy says; raw [N, 2] of quality and foreign [N] out of fold.

    Each fold is judged by the threshold that the others gave; `threshold` is that of all, which ships.
    """
    rated, fold = ratings.quality, ratings.fold
    found = cross_fitted(raw, rated, fold)
    limit = np.empty(len(rated))
    for number in np.unique(fold):
        test = fold == number
        limit[test] = threshold(found["high"][~test], rated[~test])
    guarded = foreign > 1
    rejected = guarded | (found["high"] < limit)
    unsure = ~rejected & (found["low"] < limit)
    groups = {"bad": rated < BAD, "between": (rated >= BAD) & (rated <= FINE), "fine": rated > FINE}
    return {
        "threshold": threshold(found["high"], rated),
        "groups": {
            name: {
                "images": int(rows.sum()),
                "rejected": float(rejected[rows].mean()),
                "unsure": float(unsure[rows].mean()),
                "guard": float(guarded[rows].mean()),
            }
            for name, rows in groups.items()
        },
    }
