"""What the shipped graph sees in the rated images, in changed and damaged copies, and in pictures of other
kinds.

The graph itself is run, so that heads are fitted to what they will get, rounding included. Everything is
computed
once and kept; what was stopped goes on.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image

from assay_training.base.changes import (
    SHAPE_PAIRS,
    SQUEEZED,
    WOBBLE,
    Harmless,
    harmless,
    squeezed,
    wide_and_square,
)
from assay_training.base.clip import EMBEDDING
from assay_training.base.compress import SHAPE
from assay_training.base.foreign import KINDS, TURNED, drawn
from assay_training.data import Ratings
from assay_training.degrade import DEGRADATIONS, degrade, strength_at, white_noise
from assay_training.prepare import prepare
from assay_training.scorer import open_session
from assay_training.tower.features import LADDERS
from assay_training.tower.pictures import Source, list_sources, picture

SIZE = SHAPE.stats + EMBEDDING
IMAGE = {
    "input": "image",
    "width": SHAPE.side,
    "height": SHAPE.side,
    "resize": "contain",  # the whole image: its shape is seen, and a squeezed one looks squeezed
    "kernel": "pillow-cubic",
    "layout": "nhwc",
    "dtype": "uint8",
}
COPIES = ("harmless", "damaged")
DAMAGES = (*DEGRADATIONS, "squeezed")
MILD_SQUEEZE, HEAVY_SQUEEZE = 0.75, 0.45
# images with ladders, wobble and shapes: two lots that settings were chosen by, and one that is reported
LOTS = (16, 64, 64)
NOISE_IMAGES, PICTURES, FOREIGN = 20, 60, 15
PICTURE_SEED = 5


@dataclass(frozen=True)
class Job:
    """One row of one group: which picture, changed how."""

    group: str
    row: int


def damage_of(row: int) -> tuple[int, float]:
    """(kind, share) of the damaged copy of a rated image: always the same one."""
    rng = np.random.default_rng((3, row))
    return int(rng.integers(len(DAMAGES))), float(rng.random())


def harmless_of(row: int) -> Harmless:
    """How the harmlessly changed copy of a rated image was made."""
    return harmless(np.random.default_rng((5, row)))


def damaged(image: Image.Image, kind: str, share: float, rng: np.random.Generator) -> Image.Image:
    """A copy `share` 0..1 of the way from mild to heavy damage."""
    if kind != "squeezed":
        return degrade(image, kind, strength_at(kind, share), rng)
    factor = MILD_SQUEEZE * (HEAVY_SQUEEZE / MILD_SQUEEZE) ** share
    return squeezed(image, factor if rng.random() < 0.6 else 1 / factor)


def ladder_rows(ratings: Ratings) -> list[np.ndarray]:
    """Three lots of images of the better half: what is bad already has nothing to lose. See LOTS."""
    rest, rng, lots = (
        np.flatnonzero(ratings.quality >= np.median(ratings.quality)),
        np.random.default_rng(0),
        [],
    )
    for count in LOTS:
        lots.append(np.sort(rng.choice(rest, min(count, len(rest) // 2), replace=False)))
        rest = np.setdiff1d(rest, lots[-1])
    return lots


@dataclass(frozen=True)
class Maker:
    """Makes the picture of a job. Groups and their sizes are in `sizes`."""

    ratings: Ratings
    pictures: Path

    @cached_property
    def rows(self) -> np.ndarray:
        """Images with ladders, wobble and shapes: the lots one after the other."""
        return np.concatenate(ladder_rows(self.ratings))

    @property
    def reported(self) -> slice:
        """Which of `rows` no choice was made by."""
        return slice(-len(ladder_rows(self.ratings)[-1]), None)

    @cached_property
    def unrated(self) -> list[tuple[int, Source]]:
        """PICTURES plain ones, then as many more as foreign pictures are made of, each with its number."""
        sources = [source for source in list_sources(self.pictures) if source.damage is None]
        order = np.random.default_rng(PICTURE_SEED).permutation(len(sources))
        return [(int(place), sources[place]) for place in order]

    @property
    def sizes(self) -> dict[str, int]:
        """Rows of each group, in the order in which they are made."""
        count, rows = len(self.ratings), len(self.rows)
        kinds = len(KINDS) + len(TURNED)
        return {
            "plain": count,
            "noise": NOISE_IMAGES,
            "seen": kinds * FOREIGN,
            "shapes": rows * (2 * len(SHAPE_PAIRS) + 1),
            "pictures": PICTURES,
            "new": kinds * FOREIGN,
            "wobble": rows * len(WOBBLE),
            "ladders": rows * len(LADDERS) * 3,
            "harmless": count,
            "damaged": count,
        }

    def picture(self, job: Job) -> Image.Image:
        """The picture of one job; always the same one."""
        return getattr(self, f"_{job.group}")(job.row)

    def _rated(self, row: int) -> Image.Image:
        with Image.open(self.ratings.path(row)) as image:
            return image.convert("RGB")

    def _plain(self, row: int) -> Image.Image:
        return self._rated(row)

    def _harmless(self, row: int) -> Image.Image:
        return harmless_of(row)(self._rated(row))

    def _damaged(self, row: int) -> Image.Image:
        kind, share = damage_of(row)
        return damaged(self._rated(row), DAMAGES[kind], share, np.random.default_rng((4, row)))

    def _ladders(self, row: int) -> Image.Image:
        place, kind, step = np.unravel_index(row, (len(self.rows), len(LADDERS), 3))
        name = list(LADDERS)[kind]
        rng = np.random.default_rng((6, int(place), int(kind)))
        return degrade(self._rated(self.rows[place]), name, LADDERS[name][step], rng)

    def _wobble(self, row: int) -> Image.Image:
        place, change = divmod(row, len(WOBBLE))
        return list(WOBBLE.values())[change](self._rated(self.rows[place]))

    def _shapes(self, row: int) -> Image.Image:
        place, which = divmod(row, 2 * len(SHAPE_PAIRS) + 1)
        image = self._rated(self.rows[place])
        if which == 2 * len(SHAPE_PAIRS):
            return squeezed(image, SQUEEZED)
        return wide_and_square(image, list(SHAPE_PAIRS.values())[which // 2])[which % 2]

    def _noise(self, row: int) -> Image.Image:
        return white_noise(512, np.random.default_rng((8, row)))

    def _pictures(self, row: int) -> Image.Image:
        number, source = self.unrated[row]
        return picture(source, number)

    def _seen(self, row: int, new: bool = False) -> Image.Image:
        kind, number = divmod(row, FOREIGN)
        if kind < len(KINDS):
            return drawn(list(KINDS)[kind], number, new)
        place, source = self.unrated[PICTURES + row + (len(TURNED) * FOREIGN if new else 0)]
        turn = list(TURNED.values())[kind - len(KINDS)]
        return turn(picture(source, place), np.random.default_rng((9, row, int(new))), new)

    def _new(self, row: int) -> Image.Image:
        return self._seen(row, new=True)


def build_features(maker: Maker, graph: Path, folder: Path, workers: int) -> None:
    """Fills FOLDER with one array a group; rows that are there already stay."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, count in maker.sizes.items():
        path = folder / f"{name}.npy"
        if not path.exists():
            np.lib.format.open_memmap(path, "w+", np.float32, (count, SIZE))[:] = np.nan
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for call in [pool.submit(_fill, maker, graph, folder, worker, workers) for worker in range(workers)]:
            call.result()


def open_features(maker: Maker, folder: Path) -> dict[str, np.ndarray]:
    """The groups as `build_features` left them, [rows, SIZE] each."""
    return {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in maker.sizes}


def _jobs(maker: Maker, worker: int, workers: int) -> Iterator[Job]:
    """In random order: what is there of the copies, which come last, is a fair sample."""
    copies = [
        Job(group, int(row))
        for row in np.random.default_rng(0).permutation(len(maker.ratings))
        for group in COPIES
    ]
    others = [
        Job(group, int(row))
        for group, count in maker.sizes.items()
        if group not in COPIES
        for row in np.random.default_rng(0).permutation(count)
    ]
    yield from [*others, *copies][worker::workers]


def _fill(maker: Maker, graph: Path, folder: Path, worker: int, workers: int) -> None:
    session, started, made = open_session(graph), time.monotonic(), 0
    arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r+") for name in maker.sizes}
    for job in _jobs(maker, worker, workers):
        array = arrays[job.group]
        if not np.isnan(array[job.row, -1]):
            continue
        feeds = {name: value[None] for name, value in prepare(maker.picture(job), IMAGE).items()}
        array[job.row] = np.concatenate([part[0] for part in session.run(["statistics", "embedding"], feeds)])
        made += 1
        if made % 200 == 0:
            taken = time.monotonic() - started
            print(f"features: worker {worker}, {job.group} {job.row}, {taken / made:.3f} s each", flush=True)
