"""The frame in which a scorer that ships is made: folders, and stages that run one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from assay_training.data import FOLDS, DataError, Ratings, load_ratings

ORIGINAL, MEANING, TOKENIZER = "clip_encoder.int8.onnx", "minilm.onnx", "tokenizer.json"  # of `weights`


@dataclass(frozen=True)
class Paths:
    """Folders of one run: ratings, unrated pictures, weights, shipped model, intermediate files, results."""

    data: Path
    pictures: Path
    weights: Path
    out: Path
    work: Path
    results: Path
    foreign: Path | None = None
    reuse: Path | None = None  # a model folder whose tower is kept instead of compressing another

    @property
    def original(self) -> Path:
        return self.weights / ORIGINAL

    @property
    def compressed(self) -> Path:
        return self.work / "compressed.npz"

    @property
    def tower(self) -> Path:
        return self.work / "tower.onnx"


Stages = Mapping[str, Callable[[Paths, Ratings, int], None]]  # the last argument: processes side by side


def run(known: Stages, paths: Paths, names: Iterable[str], workers: int) -> None:
    """Runs the named ones of the `known` stages in order and prints how long each took.

    Raises DataError if ratings or weights are missing.
    """
    ratings = load_ratings(paths.data)
    print(f"data: {len(ratings)} images, {len(np.unique(ratings.prompt))} prompts, {FOLDS} folds", flush=True)
    for name in (ORIGINAL, MEANING, TOKENIZER):
        if not (paths.weights / name).is_file():
            raise DataError(
                f"{paths.weights / name}: file not found; training/README.md says where it comes from"
            )
    for name in names:
        started = time.monotonic()
        known[name](paths, ratings, workers)
        print(f"stage {name}: {time.monotonic() - started:.0f} s", flush=True)
