"""Windows and the whole of an image: for a score where the manifest says, for training at random places."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from assay_training.acl_iqa.config import Views
from assay_training.prepare import corners, cut, enlarged, prepare, resized

WINDOWS, WHOLE = "windows", "whole"  # inputs of the score graph


def image_spec(side: int, views: Views) -> dict:
    """The manifest's `image`, for windows of `side` pixels."""
    return {
        "input": WINDOWS,
        "width": side,
        "height": side,
        "resize": "windows",
        "kernel": "pillow-linear",
        "layout": "nhwc",
        "dtype": "uint8",
        "windows": {
            "count": views.count,
            "stride": views.stride,
            "largeStride": views.large_stride,
            "largeSide": views.large_side,
            "enlargeTo": views.enlarge_to,
            "whole": WHOLE,
        },
        "minSide": 64,
        "maxAspectRatio": 4,
    }


def spread_views(image: Image.Image, side: int, views: Views) -> tuple[Tensor, Tensor]:
    """Evenly spread windows uint8 [count, side, side, 3] and the whole float32 [side, side, 3]."""
    found = prepare(image, image_spec(side, views))
    return torch.from_numpy(found[WINDOWS]), torch.from_numpy(found[WHOLE])


def training_views(
    image: Image.Image, side: int, views: Views, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Random windows uint8 [training, side, side, 3] and the whole, of the image or its mirror image."""
    spec, size = image_spec(side, views), (side, side)
    pixels = enlarged(np.asarray(image.convert("RGB")), spec)
    if rng.random() < 0.5:
        pixels = np.ascontiguousarray(pixels[:, ::-1])
    places = corners(pixels.shape[:2], size, spec["windows"])
    chosen = rng.choice(len(places), views.training, replace=len(places) < views.training)
    windows = cut(pixels, [places[number] for number in chosen], size)
    return torch.from_numpy(windows), torch.from_numpy(resized(pixels, side, side, "torch-linear"))
