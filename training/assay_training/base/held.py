"""What the protocol keeps of heads that did not see an image's prompt."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Held:
    """S seeds, N images, R rows with ladders, F folds.

    quality, alignment [S, N, 2] (mean, spread), unseen [S, N, 2] quality without the image's family,
    unseen_alignment [S, N]; wins [S, N] share of other held-out prompts that align worse and wrong [S, N]
    what
    alignment is on average with those (NaN for images that do not show theirs); foreignness [S, N];
    ladders [S, R, kinds, 4] quality of the original and three steps; wobble [S, R, changes] and shapes
    [S, R, views] quality of changed copies; noise [S, F, K] quality and pictures, drawn [S, F, K, 2]
    quality and
    foreignness of pictures that are not rated.
    """

    quality: np.ndarray
    alignment: np.ndarray
    unseen: np.ndarray
    unseen_alignment: np.ndarray
    wins: np.ndarray
    wrong: np.ndarray
    foreignness: np.ndarray
    ladders: np.ndarray
    wobble: np.ndarray
    shapes: np.ndarray
    noise: np.ndarray
    pictures: np.ndarray
    drawn: np.ndarray

    def of_images(self, places: slice) -> Held:
        """Only some of the R images with ladders, wobble and shapes."""
        kept = {name: getattr(self, name)[:, places] for name in ("ladders", "wobble", "shapes")}
        return replace(self, **kept)

    def save(self, path: Path) -> None:
        np.savez_compressed(path, **self.__dict__)

    @staticmethod
    def load(path: Path) -> Held:
        with np.load(path) as stored:
            return Held(**stored)
