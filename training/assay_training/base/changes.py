"""Changes of a picture that should not move its score, one that should, and pairs of crops that
should agree."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

Rng = np.random.Generator
CUBIC = Image.Resampling.BICUBIC
SHAPES = (4 / 3, 3 / 2, 16 / 9, 2.0, 21 / 9)  # width by height, or the other way round
SMALLEST = 0.4  # share of the picture that a crop keeps at least


def saved(image: Image.Image, kind: str, quality: int) -> Image.Image:
    """As it comes back from a file that loses something."""
    buffer = io.BytesIO()
    image.save(buffer, kind, quality=quality)
    with Image.open(buffer) as decoded:
        return decoded.convert("RGB")


def scaled(image: Image.Image, factor: float) -> Image.Image:
    """Both sides times `factor`."""
    return image.resize(tuple(max(1, round(factor * side)) for side in image.size), CUBIC)


def cropped(image: Image.Image, width: float, height: float, x: float = 0.5, y: float = 0.5) -> Image.Image:
    """A part of that size in pixels; x and y 0..1 say where in what is free."""
    width, height = (
        min(side, max(1, round(want))) for side, want in zip(image.size, (width, height), strict=True)
    )
    left, top = round(x * (image.size[0] - width)), round(y * (image.size[1] - height))
    return image.crop((left, top, left + width, top + height))


def squeezed(image: Image.Image, factor: float) -> Image.Image:
    """Made narrower (factor below 1) or flatter (above 1), area kept."""
    width, height = image.size
    return image.resize((round(width * factor**0.5), round(height / factor**0.5)), CUBIC)


def wide_and_square(image: Image.Image, shape: float) -> tuple[Image.Image, Image.Image]:
    """The largest centre crop of that shape, and a square one of the same area."""
    side = min(image.size)
    height = side / shape
    square = (side * height) ** 0.5
    return cropped(image, side, height), cropped(image, square, square)


@dataclass(frozen=True)
class Harmless:
    """What people do to pictures they like: cut to a square or a shape, mirror, scale, save again."""

    shape: float  # width by height
    area: float  # share of a square picture that is kept
    place: tuple[float, float]
    mirrored: bool
    factor: float | None  # of both sides
    file: tuple[str, int] | None  # kind and quality

    def __call__(self, image: Image.Image) -> Image.Image:
        side = image.size[0]
        width, height = side * (self.area * self.shape) ** 0.5, side * (self.area / self.shape) ** 0.5
        image = cropped(image, width, height, *self.place)
        if self.mirrored:
            image = ImageOps.mirror(image)
        if self.factor:
            image = scaled(image, self.factor)
        return saved(image, *self.file) if self.file else image


def harmless(rng: Rng) -> Harmless:
    """Drawn at random."""
    shape, largest = 1.0, 1.0
    if rng.random() < 0.6:
        shape = rng.choice(SHAPES) ** rng.choice([-1, 1])
        largest = min(1 / shape, shape)  # of a square picture
    area = rng.uniform(min(SMALLEST, largest), largest)
    place = rng.random(), rng.random()
    mirrored = rng.random() < 0.5
    factor = rng.uniform(0.8, 1.25) if rng.random() < 0.5 else None
    file = None
    if rng.random() < 0.6:
        file = ("WEBP" if rng.random() < 0.6 else "JPEG", int(rng.integers(75, 96)))
    return Harmless(shape, area, place, mirrored, factor, file)


# what a score should not notice: the standard deviation over these is its wobble
WOBBLE: dict[str, Callable[[Image.Image], Image.Image]] = {
    "shifted by 2 %": lambda image: cropped(image, 0.98 * image.size[0], 0.98 * image.size[1], 1, 1),
    "edges of 2 % cut": lambda image: cropped(image, 0.96 * image.size[0], 0.96 * image.size[1]),
    "nine tenths of the size": lambda image: scaled(image, 0.9),
    "eleven tenths": lambda image: scaled(image, 1.1),
    "JPEG 75": lambda image: saved(image, "JPEG", 75),
    "WebP 80": lambda image: saved(image, "WEBP", 80),
    "mirrored": ImageOps.mirror,
}
SHAPE_PAIRS = {"16:9": 16 / 9, "21:9": 21 / 9}
SQUEEZED = 9 / 16
