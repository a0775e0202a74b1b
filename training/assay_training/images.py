"""Decoding, resizing and degrading images; everything is 8-bit RGB."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

DEGRADATIONS = ("blur", "jpeg", "noise")


def load_rgb(path: Path) -> Image.Image:
    """Decodes one image file to RGB at its own size."""
    with Image.open(path) as image:
        return image.convert("RGB")


def stretched(image: Image.Image, side: int) -> np.ndarray:
    """uint8 [side, side, 3]: the whole image, antialiased bicubic (Pillow), aspect ratio ignored."""
    if image.size == (side, side):
        return np.asarray(image)
    return np.asarray(image.resize((side, side), Image.Resampling.BICUBIC))


def degrade(image: Image.Image, kind: str, strength: float, rng: np.random.Generator) -> Image.Image:
    """A worse copy at the same size.

    Strength is the Gaussian sigma in pixels for "blur", the quality setting 1..95 for "jpeg" (lower is worse)
    and the standard deviation in grey levels for "noise".
    """
    if kind == "blur":
        return image.filter(ImageFilter.GaussianBlur(strength))
    if kind == "jpeg":
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=max(1, round(strength)))
        return load_rgb(buffer)
    if kind == "noise":
        pixels = np.asarray(image, np.float32)
        noisy = pixels + rng.standard_normal(pixels.shape, np.float32) * strength
        return Image.fromarray(noisy.round().clip(0, 255).astype(np.uint8))
    raise ValueError(f"unknown degradation {kind!r}, expected one of {DEGRADATIONS}")


def random_pair(rng: np.random.Generator) -> tuple[str, float, float]:
    """A random (kind, weak strength, strong strength) as used for ranked training pairs."""
    kind = str(rng.choice(DEGRADATIONS))
    low, high = {"blur": (0.8, 3.0), "jpeg": (15.0, 60.0), "noise": (8.0, 40.0)}[kind]
    weak = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    ratio = float(rng.uniform(1.6, 3.0))
    return kind, weak, weak / ratio if kind == "jpeg" else weak * ratio
