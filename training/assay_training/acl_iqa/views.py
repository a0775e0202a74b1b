"""Windows and the whole of an image for training; the daemon cuts them as the manifest says."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from assay_training.acl_iqa.config import Views
from assay_training.prepare import resized


def enlarged(image: Image.Image, side: int) -> Image.Image:
    """The image, or, if a side is below `side`, its shorter side brought there (Pillow, bilinear)."""
    short, long = min(image.size), max(image.size)
    if short >= side:
        return image
    other = int(side * long / short)
    size = (side, other) if image.width <= image.height else (other, side)
    return Image.fromarray(resized(np.asarray(image), *size, "pillow-linear"))


def corners(height: int, width: int, side: int, views: Views) -> np.ndarray:
    """[N, 2] tops and lefts of all full windows, row by row."""
    stride = views.large_stride if max(height, width) >= views.large_side else views.stride
    tops, lefts = (range(0, size - side + 1, stride) for size in (height, width))
    return np.array([(top, left) for top in tops for left in lefts])


def spread(count: int, wanted: int) -> np.ndarray:
    """Numbers of the windows used at test time: each floor(count / wanted)-th of `count`."""
    return np.arange(wanted) * (count // wanted)


def cut(pixels: np.ndarray, places: np.ndarray, side: int) -> np.ndarray:
    """uint8 [H, W, 3] and [N, 2] corners to windows [N, side, side, 3]."""
    return np.stack([pixels[top : top + side, left : left + side] for top, left in places])


def whole(pixels: np.ndarray, side: int) -> Tensor:
    """uint8 [H, W, 3] to float32 [side, side, 3] in 0..255: bilinear without antialiasing, not rounded."""
    return torch.from_numpy(resized(pixels, side, side, "torch-linear"))


def spread_views(image: Image.Image, side: int, views: Views) -> tuple[Tensor, Tensor]:
    """Evenly spread windows uint8 [count, side, side, 3] and the whole float32 [side, side, 3]."""
    pixels = np.asarray(enlarged(image, views.enlarge_to))
    places = corners(*pixels.shape[:2], side, views)
    chosen = places[spread(len(places), views.count)]
    return torch.from_numpy(cut(pixels, chosen, side)), whole(pixels, side)


def training_views(
    image: Image.Image, side: int, views: Views, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Random windows uint8 [training, side, side, 3] and the whole, of the image or its mirror image."""
    pixels = np.asarray(enlarged(image, views.enlarge_to))
    if rng.random() < 0.5:
        pixels = np.ascontiguousarray(pixels[:, ::-1])
    places = corners(*pixels.shape[:2], side, views)
    chosen = rng.choice(len(places), views.training, replace=len(places) < views.training)
    return torch.from_numpy(cut(pixels, places[chosen], side)), whole(pixels, side)
