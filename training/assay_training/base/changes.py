"""Changes of a picture that should not move its score, one that should, and pairs of crops that
should agree."""

from __future__ import annotations

import io
from collections.abc import Callable

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


def shaped(image: Image.Image, rng: Rng) -> Image.Image:
    """A random part of a random shape."""
    shape = rng.choice(SHAPES) ** rng.choice([-1, 1])
    largest = min(1 / shape, shape)  # share of a square picture that the largest crop of this shape keeps
    area = rng.uniform(min(SMALLEST, largest), largest)
    side = image.size[0]
    return cropped(
        image, side * (area * shape) ** 0.5, side * (area / shape) ** 0.5, rng.random(), rng.random()
    )


def harmless(image: Image.Image, rng: Rng) -> Image.Image:
    """Cropped to a square or a shape, mirrored, scaled and saved: what people do to pictures they like."""
    if rng.random() < 0.6:
        image = shaped(image, rng)
    else:
        side = image.size[0] * rng.uniform(SMALLEST, 1) ** 0.5
        image = cropped(image, side, side, rng.random(), rng.random())
    if rng.random() < 0.5:
        image = ImageOps.mirror(image)
    if rng.random() < 0.5:
        image = scaled(image, rng.uniform(0.8, 1.25))
    if rng.random() < 0.6:
        image = saved(image, "WEBP" if rng.random() < 0.6 else "JPEG", int(rng.integers(75, 96)))
    return image


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
