"""Computes once what training reads again and again: resized pixels and the output of the frozen half.

Views of each image: as it is, mirrored, and a random degradation, weak and strong.
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

from assay_training.data import Ratings
from assay_training.degrade import degrade, random_pair
from assay_training.images import load_rgb, stretched
from assay_training.lite.model import EARLY_STATS, SIDE, STATS, Backbone

VIEWS = 4
PLAIN, MIRRORED, WEAK, STRONG = range(VIEWS)
SHAPES = {  # per image
    "pixels": ((SIDE, SIDE, 3), np.uint8),
    "early": ((VIEWS, 40, 40, 40), np.float16),  # height, width, channels
    "stats": ((VIEWS, EARLY_STATS), np.float32),
    "frozen": ((STATS,), np.float32),  # all statistics of the untrained net, plain view
}


@dataclass(frozen=True)
class Cache:
    """Memory-mapped arrays of N rows, see SHAPES."""

    pixels: np.ndarray
    early: np.ndarray
    stats: np.ndarray
    frozen: np.ndarray


def open_cache(folder: Path) -> Cache:
    """Opens what build_cache wrote, read-only."""
    return Cache(**{name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in SHAPES})


def build_cache(ratings: Ratings, weights: Path, folder: Path, workers: int) -> Cache:
    """Fills `folder` (about 2 GB for 2,382 images; 5 minutes on two cores) unless it is complete already."""
    done = folder / "done"
    if not done.exists():
        folder.mkdir(parents=True, exist_ok=True)
        for name, (shape, dtype) in SHAPES.items():
            np.lib.format.open_memmap(folder / f"{name}.npy", "w+", dtype, (len(ratings), *shape))
        started = time.monotonic()
        slices = np.array_split(np.arange(len(ratings)), workers)
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            list(pool.map(_fill, [ratings] * workers, [weights] * workers, [folder] * workers, slices))
        done.touch()
        print(f"cache: {len(ratings)} images in {time.monotonic() - started:.0f} s", flush=True)
    return open_cache(folder)


def _fill(ratings: Ratings, weights: Path, folder: Path, rows: np.ndarray) -> None:
    torch.set_num_threads(1)
    backbone = Backbone().to(memory_format=torch.channels_last)
    backbone.load_tflite(weights)
    arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r+") for name in SHAPES}
    for count, row in enumerate(rows):
        views = np.stack(_views(load_rgb(ratings.path(row)), np.random.default_rng((0, int(row)))))
        with torch.inference_mode():
            early, stats = backbone.early(to_input(views))
            late = backbone.late(early[:1])
        arrays["pixels"][row] = views[PLAIN]
        arrays["early"][row] = early.permute(0, 2, 3, 1).numpy()
        arrays["stats"][row] = stats.numpy()
        arrays["frozen"][row] = torch.cat([stats[0], late[0]]).numpy()
        if count % 200 == 0:
            print(f"cache: {count} of {len(rows)}", flush=True)


def _views(image: Image.Image, rng: np.random.Generator) -> list[np.ndarray]:
    kind, weak, strong = random_pair(rng)
    plain = stretched(image, SIDE)
    worse = [stretched(degrade(image, kind, strength, rng), SIDE) for strength in (weak, strong)]
    return [plain, plain[:, ::-1], *worse]


def to_input(pixels: np.ndarray) -> torch.Tensor:
    """uint8 [N, H, W, 3] to float32 [N, 3, H, W] in -1..1, channels last in memory (faster on CPUs)."""
    return torch.from_numpy(pixels.astype(np.float32) / 127.5 - 1).permute(0, 3, 1, 2)
