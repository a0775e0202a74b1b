"""Scores images with exported graphs, always with a net that never saw them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from assay_training.data import FOLDS, Ratings
from assay_training.degrade import degrade
from assay_training.images import load_rgb, stretched
from assay_training.lite.cache import Cache
from assay_training.lite.model import SIDE
from assay_training.lite.nets import load_net, predict
from assay_training.scorer import open_session

VARIANTS = ("fp32", "int8")
LADDERS = {
    "blur": (1.5, 3, 6),
    "jpeg": (30, 15, 7),
    "noise": (15, 35, 70),
}  # mild to heavy, see images.degrade
LADDER_IMAGES = 100


@dataclass(frozen=True)
class Scores:
    """Raw outputs (mean, spread) of nets for images that they were not trained on.

    fp32, int8 [N, 2] quality of all images; alignment [N] mean of the alignment head (before export).
    rows [R] images with degraded copies; ladder_fp32, ladder_int8 [R, kinds, 4, 2]: the original, then three
    strengths. shipped_int8: the same ladder by the net that is shipped, which did see the originals.
    """

    fp32: np.ndarray
    int8: np.ndarray
    alignment: np.ndarray
    rows: np.ndarray
    ladder_fp32: np.ndarray
    ladder_int8: np.ndarray
    shipped_int8: np.ndarray

    def save(self, path: Path) -> None:
        np.savez_compressed(path, **self.__dict__)

    @staticmethod
    def load(path: Path) -> Scores:
        with np.load(path) as stored:
            return Scores(**stored)


def score_all(ratings: Ratings, cache: Cache, work: Path) -> Scores:
    """Runs the graphs of WORK/fold*/ on their held-out images and on degraded copies of some (3 minutes)."""
    outputs = {variant: np.empty((len(ratings), 2), np.float32) for variant in VARIANTS}
    alignment = np.empty(len(ratings), np.float32)
    rows = np.sort(
        np.random.default_rng(0).choice(len(ratings), min(LADDER_IMAGES, len(ratings)), replace=False)
    )
    ladders = {variant: np.empty((len(rows), len(LADDERS), 4, 2), np.float32) for variant in VARIANTS}
    pixels = np.stack([ladder_pixels(ratings, row) for row in rows])
    for fold in range(FOLDS):
        held_out = np.flatnonzero(ratings.fold == fold)
        chosen = np.flatnonzero(ratings.fold[rows] == fold)
        for variant in VARIANTS:
            graph = work / f"fold{fold}" / f"{variant}.onnx"
            outputs[variant][held_out] = run_graph(graph, cache.pixels, held_out)
            ladders[variant][chosen] = run_ladder(graph, pixels[chosen])
        alignment[held_out] = predict(load_net(work / f"fold{fold}" / "net.pt"), cache, held_out)[0][:, 1]
        print(f"score: fold {fold}, {len(held_out)} images", flush=True)
    shipped = run_ladder(work / "full" / "int8.onnx", pixels)
    return Scores(
        **outputs, alignment=alignment, rows=rows, shipped_int8=shipped, **_named("ladder", ladders)
    )


def run_graph(path: Path, pixels: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Quality (mean, spread) [len(rows), 2] of cached pixels, image by image on one thread."""
    session = open_session(path)
    return np.concatenate([session.run(["quality"], {"image": pixels[row][None]})[0] for row in rows])


def run_ladder(path: Path, pixels: np.ndarray) -> np.ndarray:
    """As run_graph for ladder pixels [R, kinds, 4, 320, 320, 3]; returns [R, kinds, 4, 2]."""
    flat = pixels.reshape(-1, *pixels.shape[3:])
    return run_graph(path, flat, np.arange(len(flat))).reshape(*pixels.shape[:3], 2)


def ladder_pixels(ratings: Ratings, row: int) -> np.ndarray:
    """uint8 [kinds, 4, 320, 320, 3]: each degradation at none, mild, middle, heavy, made at full size."""
    image = load_rgb(ratings.path(row))
    rng = np.random.default_rng((1, int(row)))
    return np.stack(
        [
            [stretched(image, SIDE)] + [stretched(degrade(image, kind, s, rng), SIDE) for s in strengths]
            for kind, strengths in LADDERS.items()
        ]
    )


def _named(prefix: str, values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {f"{prefix}_{name}": value for name, value in values.items()}
