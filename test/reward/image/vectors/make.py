"""Writes the images that the resize kernels in TypeScript are compared with, as Pillow, torch and OpenCV make them.

    OMP_NUM_THREADS=1 python test/reward/vectors/make.py

needs Pillow, torch, opencv-python-headless and numpy; any recent version writes the same bytes. `resample.json` holds plain resizes,
`windows.json` the views that a graph reads. Pixels are base64 of bytes, of little-endian float32 from torch.
"""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps

HERE = Path(__file__).parent
FILTERS = {"pillow-linear": Image.Resampling.BILINEAR, "pillow-cubic": Image.Resampling.BICUBIC}
KERNELS = (*FILTERS, "torch-linear", "opencv-cubic")

SOURCES = ((37, 53), (64, 64), (97, 31), (200, 150), (1, 9), (9, 1))

# source, target; the first ones with all kernels, the others with Pillow's alone: float32 takes room
RESIZES = (
    ((37, 53), (50, 40)),
    ((37, 53), (37, 20)),
    ((64, 64), (16, 16)),
    ((97, 31), (31, 31)),
    ((200, 150), (24, 18)),
    ((200, 150), (50, 5)),
    ((37, 53), (1, 1)),
    ((1, 9), (6, 4)),
    ((9, 1), (4, 6)),
)
PILLOW_RESIZES = (
    ((64, 64), (33, 90)),
    ((97, 31), (120, 31)),
    ((200, 150), (60, 45)),
    ((200, 150), (7, 150)),
    ((200, 150), (224, 3)),
)

# source, target, fit, kernel
VIEWS = (
    ((200, 150), (15, 15), "cover", "pillow-linear"),  # 2.5 pixels are cut off: to the even neighbour
    ((97, 31), (24, 24), "cover", "pillow-cubic"),
    ((37, 53), (48, 30), "cover", "pillow-cubic"),
    ((37, 53), (20, 20), "cover", "torch-linear"),
    ((9, 1), (12, 12), "cover", "pillow-linear"),
    ((97, 31), (40, 40), "contain", "pillow-cubic"),
    ((37, 53), (48, 30), "contain", "pillow-linear"),
    ((200, 150), (20, 20), "contain", "torch-linear"),
    ((64, 64), (64, 64), "contain", "pillow-cubic"),
    ((97, 31), (20, 20), "stretch", "pillow-linear"),
    ((200, 150), (64, 20), "stretch", "opencv-cubic"),
    ((97, 31), (24, 24), "cover", "opencv-cubic"),
)

PLAN = ("width", "height", "count", "stride", "largeStride", "largeSide", "enlargeTo")

# source, plan
WINDOWS = (
    ((37, 53), (16, 12, 5, 4, 6, 100, 48)),  # enlarged
    ((200, 150), (32, 24, 4, 10, 24, 200, 40)),  # with the large stride
    ((64, 64), (20, 20, 5, 32, 48, 1024, 40)),  # fewer windows than asked for
    ((1, 9), (8, 8, 3, 5, 48, 1024, 16)),  # strips
    ((9, 1), (8, 8, 3, 5, 7, 144, 16)),
)


def picture(width: int, height: int) -> np.ndarray:
    """[height, width, 3] uint8: a slope, noise, and black and white squares, which make cubics overshoot."""
    rng = np.random.default_rng(1000 * width + height)
    y, x = np.mgrid[:height, :width]
    slope = np.stack([255 * x / width, 255 * y / height, 128 + 0 * x], axis=-1)
    pixels = slope + rng.normal(0, 25, (height, width, 3))
    squares = (x // 5 + y // 5) % 4
    pixels[squares == 0] = 0
    pixels[squares == 2] = 255
    return np.clip(pixels, 0, 255).astype(np.uint8)


def pillow(pixels: np.ndarray, size: tuple[int, int], kernel: str) -> np.ndarray:
    """Columns, then rows: Pillow before 13 always does both in this order, later ones by the sizes."""
    image, (width, height) = Image.fromarray(pixels), size
    filter = FILTERS[kernel]
    return np.asarray(image.resize((width, image.height), filter).resize((width, height), filter))


def interpolated(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """[height, width, 3] float32, 0..255."""
    planes = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float()
    result = F.interpolate(planes, (size[1], size[0]), mode="bilinear", align_corners=False, antialias=False)
    return result[0].permute(1, 2, 0).numpy()


def resized(pixels: np.ndarray, size: tuple[int, int], kernel: str) -> np.ndarray:
    if kernel == "opencv-cubic":
        return cv2.resize(pixels, size, interpolation=cv2.INTER_CUBIC)
    return interpolated(pixels, size) if kernel == "torch-linear" else pillow(pixels, size, kernel)


def covering(size: tuple[int, int], to: tuple[int, int]) -> tuple[int, int]:
    """torchvision's Resize(shorter side), whose long side is int(side * long / short), for any target."""
    (width, height), (to_width, to_height) = size, to
    if width * to_height <= height * to_width:
        return to_width, int(to_width * height / width)
    return int(to_height * width / height), to_height


def view(pixels: np.ndarray, to: tuple[int, int], fit: str, kernel: str) -> np.ndarray:
    height, width = pixels.shape[:2]
    if fit == "stretch":
        return resized(pixels, to, kernel)
    if fit == "cover":
        full = covering((width, height), to)
        left, top = (round((have - want) / 2) for have, want in zip(full, to, strict=True))
        return resized(pixels, full, kernel)[top : top + to[1], left : left + to[0]]
    full = ImageOps.contain(Image.fromarray(pixels), to).size
    left, top = (round((want - have) / 2) for have, want in zip(full, to, strict=True))
    inner = resized(pixels, full, kernel)
    outer = np.zeros((to[1], to[0], 3), inner.dtype)
    outer[top : top + full[1], left : left + full[0]] = inner
    return outer


def windows(pixels: np.ndarray, plan: dict[str, int]) -> tuple[np.ndarray, np.ndarray]:
    """[count, height, width, 3] uint8 and the whole, [height, width, 3] float32."""
    height, width = pixels.shape[:2]
    side = plan["enlargeTo"]
    if min(width, height) < side:
        pixels = pillow(pixels, covering((width, height), (side, side)), "pillow-linear")
    stride = plan["largeStride" if max(pixels.shape) >= plan["largeSide"] else "stride"]
    grid = torch.from_numpy(pixels.copy()).unfold(0, plan["height"], stride).unfold(1, plan["width"], stride)
    every = grid.flatten(0, 1).permute(0, 2, 3, 1).numpy()
    step = len(every) // plan["count"]
    chosen = np.stack([every[i * step] for i in range(plan["count"])])
    return chosen, interpolated(pixels, (plan["width"], plan["height"]))


def text(pixels: np.ndarray) -> str:
    little = pixels.astype("<f4") if pixels.dtype == np.float32 else pixels
    return b64encode(np.ascontiguousarray(little).tobytes()).decode()


def write(name: str, content: dict) -> None:
    (HERE / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def described(source: tuple[int, int], to: tuple[int, int]) -> dict:
    return {"source": "{}x{}".format(*source), "width": to[0], "height": to[1]}


def main() -> None:
    torch.set_num_threads(1)
    cv2.ipp.setUseIPP(False)  # which is off by a grey level here and there
    images = {size: picture(*size) for size in SOURCES}
    sources = {"{}x{}".format(*size): text(pixels) for size, pixels in images.items()}
    resizes = [
        {**described(source, to), "kernel": kernel, "pixels": text(resized(images[source], to, kernel))}
        for cases, kernels in ((RESIZES, KERNELS), (PILLOW_RESIZES, tuple(FILTERS)))
        for source, to in cases
        for kernel in kernels
    ]
    write("resample.json", {"sources": sources, "resizes": resizes})
    views = [
        {
            **described(source, to),
            "resize": fit,
            "kernel": kernel,
            "pixels": text(view(images[source], to, fit, kernel)),
        }
        for source, to, fit, kernel in VIEWS
    ]
    plans = []
    for source, values in WINDOWS:
        plan = dict(zip(PLAN, values, strict=True))
        chosen, whole = windows(images[source], plan)
        plans.append(
            {"source": "{}x{}".format(*source), "plan": plan, "windows": text(chosen), "whole": text(whole)}
        )
    write("windows.json", {"views": views, "windows": plans})


if __name__ == "__main__":
    main()
