"""Unrated pictures on which the student learns to see as the teacher does: no rating is involved.

FOLDER/sheets holds sheets of 2 x 2 pictures, FOLDER/single single ones, at any depth. Every second picture
also gets a degraded copy, so that damage looks to the student as it looks to the teacher.
"""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from assay_training.data import DataError
from assay_training.degrade import DEGRADATIONS, degrade, strength_at
from assay_training.images import load_rgb, stretched
from assay_training.taught import teacher as teaching
from assay_training.taught.model import EARLY_CHANNELS, EARLY_STATS, SIDE, Backbone, to_input

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


SHAPES = {  # per picture
    "pixels": ((SIDE, SIDE, 3), np.uint8),
    "early": ((SIDE // 8, SIDE // 8, EARLY_CHANNELS), np.float16),  # height, width, channels
    "stats": ((EARLY_STATS,), np.float32),
    "targets": ((len(teaching.TAPS) * teaching.STATISTICS,), np.float32),
}


@dataclass(frozen=True)
class Corpus:
    """Memory-mapped arrays of N rows, see SHAPES: pixels, output of the frozen half, the teacher's view."""

    pixels: np.ndarray
    early: np.ndarray
    stats: np.ndarray
    targets: np.ndarray

    def __len__(self) -> int:
        return len(self.pixels)

    def undamaged(self, count: int) -> np.ndarray:
        """uint8 [count, SIDE, SIDE, 3]: a fixed choice of pictures, which come before the degraded copies."""
        plain = 2 * len(self) // 3  # every second one has a copy
        rows = np.random.default_rng(5).permutation(plain)[:count]
        return np.stack([self.pixels[row] for row in np.sort(rows)])


@dataclass(frozen=True)
class Source:
    """One picture of the corpus: a file or a quarter of one, and the kind of damage done to it, if any."""

    path: Path
    quarter: tuple[int, int] | None
    damage: str | None


def list_sources(folder: Path) -> list[Source]:
    """Every picture and every degraded copy, in a fixed order. Raises DataError if there are none."""
    quarters = [(x, y) for y in (0, 1) for x in (0, 1)]
    plain = [Source(path, quarter, None) for path in _files(folder / "sheets") for quarter in quarters]
    plain += [Source(path, None, None) for path in _files(folder / "single")]
    if not plain:
        raise DataError(
            f"{folder}: no pictures; expected sheets/ (2 x 2 each) or single/ with png, jpg or webp"
        )
    kinds = list(DEGRADATIONS)
    return plain + [
        Source(source.path, source.quarter, kinds[number % len(kinds)])
        for number, source in enumerate(plain[::2])
    ]


def build_corpus(folder: Path, weights: Path, teacher: Path, work: Path, workers: int) -> Corpus:
    """Decodes and degrades everything, and shows it to the frozen half and to the teacher, once.

    25 minutes and 4 GB for 6,000 pictures on two cores.
    """
    done = work / "done"
    if not done.exists():
        sources = list_sources(folder)
        work.mkdir(parents=True, exist_ok=True)
        for name, (shape, dtype) in SHAPES.items():
            np.lib.format.open_memmap(work / f"{name}.npy", "w+", dtype, (len(sources), *shape))
        started = time.monotonic()
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            parts = np.array_split(np.arange(len(sources)), workers)
            calls = [pool.submit(_fill, sources, weights, teacher, work, part) for part in parts]
            for call in calls:
                call.result()
        done.touch()
        print(f"corpus: {len(sources)} pictures in {time.monotonic() - started:.0f} s", flush=True)
    return Corpus(**{name: np.load(work / f"{name}.npy", mmap_mode="r") for name in SHAPES})


def picture(source: Source, number: int) -> Image.Image:
    """The picture itself, damaged if the source says so; `number` seeds the damage."""
    image = load_rgb(source.path)
    if source.quarter:
        width, height = image.size[0] // 2, image.size[1] // 2
        left, top = source.quarter[0] * width, source.quarter[1] * height
        image = image.crop((left, top, left + width, top + height))
    if source.damage is None:
        return image
    rng = np.random.default_rng((2, number))
    return degrade(image, source.damage, strength_at(source.damage, rng.random()), rng)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)


def _fill(sources: list[Source], weights: Path, teacher: Path, work: Path, rows: np.ndarray) -> None:
    torch.set_num_threads(1)
    judge, backbone = teaching.Teacher(teacher), Backbone().to(memory_format=torch.channels_last)
    backbone.load_imagenet(weights)
    arrays = {name: np.load(work / f"{name}.npy", mmap_mode="r+") for name in SHAPES}
    for count, row in enumerate(rows):
        image = picture(sources[row], int(row))
        pixels = stretched(image, SIDE)
        with torch.inference_mode():
            early, stats = backbone.early(to_input(pixels[None]))
        arrays["pixels"][row] = pixels
        arrays["early"][row] = early[0].permute(1, 2, 0).numpy()
        arrays["stats"][row] = stats[0].numpy()
        arrays["targets"][row] = judge.statistics(stretched(image, teaching.SIDE)).ravel()
        if count % 500 == 0:
            print(f"corpus: {count} of {len(rows)}", flush=True)
