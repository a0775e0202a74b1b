"""Unrated pictures that the tower is compressed on: no rating and no rated image is involved.

FOLDER/sheets holds sheets of 2 x 2 pictures, FOLDER/single single ones, at any depth. Every second picture
also has a degraded copy, so that the rounded tower sees damage as the original does.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from assay_training.data import DataError
from assay_training.degrade import DEGRADATIONS, degrade, strength_at
from assay_training.images import list_images, load_rgb, stretched
from assay_training.tower.clip import SHAPE


@dataclass(frozen=True)
class Source:
    """One picture: a file or a quarter of one, and the kind of damage done to it, if any."""

    path: Path
    quarter: tuple[int, int] | None
    damage: str | None


def list_sources(folder: Path) -> list[Source]:
    """Every picture, then every degraded copy, in a fixed order. Raises DataError if there are none."""
    quarters = [(x, y) for y in (0, 1) for x in (0, 1)]
    plain = [Source(path, quarter, None) for path in list_images(folder / "sheets") for quarter in quarters]
    plain += [Source(path, None, None) for path in list_images(folder / "single")]
    if not plain:
        raise DataError(
            f"{folder}: no pictures; expected sheets/ (2 x 2 each) or single/ with png, jpg or webp"
        )
    kinds = list(DEGRADATIONS)
    return plain + [
        Source(source.path, source.quarter, kinds[number % len(kinds)])
        for number, source in enumerate(plain[::2])
    ]


def choose(folder: Path, count: int, seed: int, damaged: bool, side: int | None = None) -> np.ndarray:
    """uint8 [count or all, side, side, 3]: a random choice, of the undamaged ones only or of all."""
    side = side or SHAPE.side
    sources = [source for source in list_sources(folder) if damaged or source.damage is None]
    rows = np.random.default_rng(seed).permutation(len(sources))[:count]
    return np.stack([stretched(picture(sources[row], int(row)), side) for row in np.sort(rows)])


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
