"""What the shipped graph sees in the rated images and in copies of them that were made worse, computed once.

The int8 graph itself is run, so that the heads are fitted to what they will get, rounding included.
"""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image

from assay_training.data import Ratings
from assay_training.degrade import DEGRADATIONS, degrade, strength_at, white_noise
from assay_training.images import load_rgb, stretched
from assay_training.scorer import open_session
from assay_training.tower.clip import SHAPE
from assay_training.verify import digest

SIZE = SHAPE.stats
COPIES = 2  # degraded copies of each image that the heads learn from
# fixed steps for the protocol, mild to heavy; the last four kinds are judged by percentile
LADDERS = {
    "blur": (1.5, 3, 6),
    "jpeg": (30, 15, 7),
    "noise": (15, 35, 70),
    "enlarged": (128, 64, 32),
    "dark": (0.5, 0.25, 0.1),
    "flat": (0.5, 0.3, 0.15),
    "shuffled": (2, 4, 8),
    "warped": (10, 20, 40),
}
LADDER_IMAGES = 100
NOISE_IMAGES = 40
PICTURES = 300  # unrated pictures that say what else is normal


@dataclass(frozen=True)
class Features:
    """Statistics, float32, SIZE numbers each.

    plain [N, SIZE] the rated images; copies [N, COPIES, SIZE] with kind [N, COPIES] (index into DEGRADATIONS)
    and share [N, COPIES] (0 mild .. 1 heavy); rows [R] the images with ladders [R, kinds, 3, SIZE];
    noise [NOISE_IMAGES, SIZE] pictures without content; pictures [PICTURES, SIZE] unrated ones.
    """

    plain: np.ndarray
    copies: np.ndarray
    kind: np.ndarray
    share: np.ndarray
    rows: np.ndarray
    ladders: np.ndarray
    noise: np.ndarray
    pictures: np.ndarray


def damages(row: int) -> list[tuple[int, float]]:
    """(kind, share) of the degraded copies of one rated image: always the same ones."""
    rng = np.random.default_rng((3, row))
    return [(int(rng.integers(len(DEGRADATIONS))), float(rng.random())) for _ in range(COPIES)]


def ladder_rows(ratings: Ratings) -> np.ndarray:
    """The better half of the images supplies those with ladders: what is bad already has nothing to lose."""
    better = np.flatnonzero(ratings.quality >= np.median(ratings.quality))
    count = min(LADDER_IMAGES, len(better))
    return np.sort(np.random.default_rng(0).choice(better, count, replace=False))


def build_features(
    ratings: Ratings, pictures: np.ndarray, graph: Path, folder: Path, workers: int
) -> Features:
    """Fills FOLDER unless this graph has filled it (8 minutes on two cores).

    `pictures` are uint8 [PICTURES, SHAPE.side, SHAPE.side, 3].
    """
    rows, done, by = ladder_rows(ratings), folder / "done", digest(graph)["sha256"]
    shapes = {
        "plain": (len(ratings), SIZE),
        "copies": (len(ratings), COPIES, SIZE),
        "ladders": (len(rows), len(LADDERS), 3, SIZE),
        "noise": (NOISE_IMAGES, SIZE),
        "pictures": (len(pictures), SIZE),
    }
    if not (done.exists() and done.read_text() == by):
        folder.mkdir(parents=True, exist_ok=True)
        for name, shape in shapes.items():
            np.lib.format.open_memmap(folder / f"{name}.npy", "w+", np.float32, shape)
        started = time.monotonic()
        parts = [np.arange(worker, len(ratings), workers) for worker in range(workers)]
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            calls = [pool.submit(_fill, ratings, graph, folder, rows, part) for part in parts]
            for call in calls:
                call.result()
        session, unrated = open_session(graph), np.load(folder / "pictures.npy", mmap_mode="r+")
        for row, pixels in enumerate(pictures):
            unrated[row] = session.run(["statistics"], {"image": pixels[None]})[0][0]
        done.write_text(by)
        print(f"features: {len(ratings)} images in {time.monotonic() - started:.0f} s", flush=True)
    arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in shapes}
    chosen = [damages(row) for row in range(len(ratings))]
    kind, share = (np.array([[copy[i] for copy in image] for image in chosen]) for i in (0, 1))
    return Features(kind=kind, share=share, rows=rows, **arrays)


def _fill(ratings: Ratings, graph: Path, folder: Path, rows: np.ndarray, part: np.ndarray) -> None:
    session = open_session(graph)
    arrays = {
        name: np.load(folder / f"{name}.npy", mmap_mode="r+")
        for name in ("plain", "copies", "ladders", "noise")
    }
    kinds = list(DEGRADATIONS)

    def seen(images: list[Image.Image]) -> np.ndarray:
        pixels = [stretched(image, SHAPE.side)[None] for image in images]
        return np.concatenate([session.run(["statistics"], {"image": part})[0] for part in pixels])

    for count, row in enumerate(part):
        image = load_rgb(ratings.path(row))
        rng = np.random.default_rng((4, int(row)))
        copies = [
            degrade(image, kinds[k], strength_at(kinds[k], share), rng) for k, share in damages(int(row))
        ]
        found = seen([image, *copies])
        arrays["plain"][row], arrays["copies"][row] = found[0], found[1:]
        for place in np.flatnonzero(rows == row):
            for index, (kind, steps) in enumerate(LADDERS.items()):
                arrays["ladders"][place, index] = seen([degrade(image, kind, step, rng) for step in steps])
        if row < NOISE_IMAGES:
            arrays["noise"][row] = seen([white_noise(2 * SHAPE.side, rng)])[0]
        if count % 300 == 0:
            print(f"features: {count} of {len(part)}", flush=True)
