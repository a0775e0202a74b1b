"""What the protocol keeps of heads that did not see an image's prompt."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Held:
    """What heads say of images they were not fitted on; S seeds, N images.

    quality, alignment [S, N, 2] (mean, spread); wins [S, N] share of other held-out prompts that align worse
    (NaN for images that do not show theirs); foreignness [S, N]; pictures [S, FOLDS, PICTURES] of unrated
    ones; ladders [S, R, kinds, 4] quality of the original and three steps; noise [S, FOLDS, K] quality of
    pictures without content; unseen [S, N, 2] quality without the image's family, unseen_alignment [S, N]
    likewise.
    """

    quality: np.ndarray
    alignment: np.ndarray
    wins: np.ndarray
    foreignness: np.ndarray
    pictures: np.ndarray
    ladders: np.ndarray
    noise: np.ndarray
    unseen: np.ndarray
    unseen_alignment: np.ndarray

    def save(self, path: Path) -> None:
        np.savez_compressed(path, **self.__dict__)

    @staticmethod
    def load(path: Path) -> Held:
        with np.load(path) as stored:
            return Held(**stored)
