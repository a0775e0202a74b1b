"""How foreign a picture is: 1 and more for what no AI image of a usual kind looks like.

For each kind of picture that was drawn for it, a direction among embeddings that tells it from rated and
unrated AI
images (Fisher's discriminant); and the mean square of the statistics, for what is unlike everything. The
largest counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from assay_training.tower.kernel import Projection

SHRINKAGE = (
    8.0  # mean variances added to every direction: less finds more that is peculiar to the drawn pictures
)
PASSED = 0.995  # of the usual pictures that it is fitted to stay below 1 / MARGIN
MARGIN = 1.35  # since pictures that are new to it reach further


@dataclass(frozen=True)
class Guard:
    """directions [EMBEDDING, K] and offset [K] give 1 at the limit; `square` is the limit of the
    mean square."""

    directions: np.ndarray
    offset: np.ndarray
    square: float

    def foreignness(
        self, embedding: np.ndarray, statistics: np.ndarray, projection: Projection
    ) -> np.ndarray:
        """[N] the largest of all; its limit is 1."""
        kinds = embedding @ self.directions + self.offset
        square = np.square(projection.standardised(statistics)).mean(1) / self.square
        return np.maximum(kinds.max(1), square)


def fit_guard(usual: np.ndarray, kinds: list[np.ndarray], squares: np.ndarray) -> Guard:
    """From embeddings of usual pictures [N, EMBEDDING] and of each kind; squares [N] of the usual ones."""
    centre = usual.mean(0)
    spread = np.cov(usual.T)
    spread[np.diag_indices_from(spread)] += SHRINKAGE * np.trace(spread) / len(spread)
    directions, offsets = [], []
    for kind in kinds:
        direction = np.linalg.solve(spread, kind.mean(0) - centre)
        found = usual @ direction
        zero, limit = found.mean(), np.quantile(found, PASSED)
        unit = MARGIN * (limit - zero)
        directions.append(direction / unit)
        offsets.append(-zero / unit)
    return Guard(np.column_stack(directions), np.array(offsets), float(MARGIN * np.quantile(squares, PASSED)))
