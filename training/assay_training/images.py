"""Finding, decoding and resizing images; everything is 8-bit RGB."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


def load_rgb(path: Path) -> Image.Image:
    """Decodes one image file to RGB at its own size."""
    with Image.open(path) as image:
        return image.convert("RGB")


def stretched(image: Image.Image, side: int) -> np.ndarray:
    """uint8 [side, side, 3]: the whole image, antialiased bicubic (Pillow), aspect ratio ignored."""
    if image.size == (side, side):
        return np.asarray(image)
    return np.asarray(image.resize((side, side), Image.Resampling.BICUBIC))


def list_images(folder: Path) -> list[Path]:
    """Files of FOLDER, at any depth, that look like pictures, sorted."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
