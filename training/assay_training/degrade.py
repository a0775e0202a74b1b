"""Ways in which a picture gets worse, each with a strength; 8-bit RGB in and out, same size."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

Rng = np.random.Generator


@dataclass(frozen=True)
class Degradation:
    """`apply(image, strength, rng)`; strengths run log-uniformly from `mild` to `heavy`."""

    apply: Callable[[Image.Image, float, Rng], Image.Image]
    mild: float
    heavy: float
    unit: str


def _blur(image: Image.Image, strength: float, rng: Rng) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(strength))


def _jpeg(image: Image.Image, strength: float, rng: Rng) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=max(1, round(strength)))
    with Image.open(buffer) as decoded:
        return decoded.convert("RGB")


def _noise(image: Image.Image, strength: float, rng: Rng) -> Image.Image:
    pixels = np.asarray(image, np.float32)
    return _picture(pixels + rng.standard_normal(pixels.shape, np.float32) * strength)


def _dark(image: Image.Image, strength: float, rng: Rng) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(strength)


def _flat(image: Image.Image, strength: float, rng: Rng) -> Image.Image:
    return ImageEnhance.Contrast(image).enhance(strength)


def _enlarged(image: Image.Image, strength: float, rng: Rng) -> Image.Image:
    small = image.resize((round(strength), round(strength)), Image.Resampling.BICUBIC)
    return small.resize(image.size, Image.Resampling.BICUBIC)


def _shuffled(image: Image.Image, strength: float, rng: Rng) -> Image.Image:
    count = round(strength)
    width, height = image.size[0] // count, image.size[1] // count
    pixels = np.asarray(image)
    tiles = [
        pixels[row * height : (row + 1) * height, column * width : (column + 1) * width]
        for row in range(count)
        for column in range(count)
    ]
    order = rng.permutation(len(tiles))
    lines = [
        np.concatenate([tiles[i] for i in order[row * count : (row + 1) * count]], 1) for row in range(count)
    ]
    return Image.fromarray(np.concatenate(lines)).resize(image.size, Image.Resampling.BICUBIC)


def _warped(image: Image.Image, strength: float, rng: Rng) -> Image.Image:
    pixels = np.asarray(image)
    height, width = pixels.shape[:2]
    shifts = [
        np.asarray(Image.fromarray(rng.standard_normal((8, 8), np.float32)).resize((width, height), 3))
        for _ in range(2)
    ]
    rows, columns = np.mgrid[:height, :width]
    rows = (rows + strength * shifts[0]).clip(0, height - 1).astype(int)
    columns = (columns + strength * shifts[1]).clip(0, width - 1).astype(int)
    return Image.fromarray(pixels[rows, columns])


def _smeared(image: Image.Image, strength: float, rng: Rng) -> Image.Image:
    """Squares of the picture are pasted elsewhere, every second one reduced to a smear."""
    pixels = np.array(image)
    side = min(pixels.shape[:2]) // 4
    source = pixels.copy()
    for number in range(round(strength)):
        (y, x), (v, u) = ([int(rng.integers(0, size - side)) for size in pixels.shape[:2]] for _ in range(2))
        part = Image.fromarray(source[y : y + side, x : x + side])
        if number % 2:
            part = part.resize((4, 4), Image.Resampling.BICUBIC).resize(
                (side, side), Image.Resampling.BICUBIC
            )
        pixels[v : v + side, u : u + side] = np.asarray(part)
    return Image.fromarray(pixels)


DEGRADATIONS = {
    "blur": Degradation(_blur, 1.0, 8.0, "Gaussian sigma in pixels"),
    "jpeg": Degradation(_jpeg, 40, 4, "JPEG quality"),
    "noise": Degradation(_noise, 10, 90, "standard deviation in grey levels"),
    "dark": Degradation(_dark, 0.5, 0.06, "factor of brightness"),
    "flat": Degradation(_flat, 0.5, 0.1, "factor of contrast"),
    "enlarged": Degradation(_enlarged, 160, 24, "pixels a side before enlargement"),
    "shuffled": Degradation(_shuffled, 2, 8, "tiles a side, in random order"),
    "warped": Degradation(_warped, 8, 40, "local shift in pixels"),
    "smeared": Degradation(_smeared, 2, 8, "squares pasted or smeared"),
}


def degrade(image: Image.Image, kind: str, strength: float, rng: Rng) -> Image.Image:
    """A worse copy. Raises ValueError for an unknown kind."""
    if kind not in DEGRADATIONS:
        raise ValueError(f"unknown degradation {kind!r}, expected one of {', '.join(DEGRADATIONS)}")
    return DEGRADATIONS[kind].apply(image, strength, rng)


def strength_at(kind: str, share: float) -> float:
    """The strength a `share` 0..1 of the way from mild to heavy, on a logarithmic scale."""
    found = DEGRADATIONS[kind]
    return float(found.mild * (found.heavy / found.mild) ** share)


def white_noise(side: int, rng: Rng) -> Image.Image:
    """A picture without any content."""
    return _picture(rng.normal(128, rng.uniform(30, 90), (side, side, 3)))


def _picture(values: np.ndarray) -> Image.Image:
    return Image.fromarray(values.round().clip(0, 255).astype(np.uint8))
