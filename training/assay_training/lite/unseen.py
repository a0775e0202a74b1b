"""Quality of images from a generator family that was left out of training, family by family."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from assay_training.data import FAMILIES, Ratings
from assay_training.lite.cache import Cache
from assay_training.lite.nets import load_net, predict
from assay_training.metrics import interval, srcc, within_mean
from assay_training.ridge import ridge


def unseen_frozen(ratings: Ratings, cache: Cache, strength: float) -> dict:
    """Ridge regression on features of the ImageNet backbone: what the net starts from, not what ships."""
    family, predicted, targets = ratings.family(), np.empty(len(ratings)), ratings.targets()
    for name in FAMILIES:
        test = family == name
        predicted[test] = ridge(cache.frozen[~test], targets[~test], strength).predict(cache.frozen[test])[
            :, 0
        ]
    return _table(ratings, predicted)


def unseen_tuned(ratings: Ratings, cache: Cache, work: Path) -> dict | None:
    """The recipe with fewer epochs, trained without each family, or None if one of these nets is missing."""
    if not all((work / f"without-{name}" / "net.pt").exists() for name in FAMILIES):
        return None
    family, predicted = ratings.family(), np.empty(len(ratings))
    epochs = torch.load(work / "without-GLIDE" / "net.pt", weights_only=True)["config"]["epochs"]
    for name in FAMILIES:
        rows = np.flatnonzero(family == name)
        predicted[rows] = predict(load_net(work / f"without-{name}" / "net.pt"), cache, rows)[0][:, 0]
    return _table(ratings, predicted) | {"epochs": epochs}


def _table(ratings: Ratings, predicted: np.ndarray) -> dict:
    """Prompts are seen in training here (through other generators); only the family is new."""

    def inside(rows: np.ndarray) -> float:
        return within_mean(predicted[rows], ratings.quality[rows], ratings.generator[rows])

    def pooled(rows: np.ndarray) -> float:
        return srcc(predicted[rows], ratings.quality[rows])

    family, everything = ratings.family(), np.arange(len(ratings))
    return {
        "families": {name: pooled(np.flatnonzero(family == name)) for name in FAMILIES},
        "pooled": {"value": pooled(everything), "ci": interval(pooled, ratings.prompt, 300)},
        "within": {"value": inside(everything), "ci": interval(inside, ratings.prompt, 300)},
    }
