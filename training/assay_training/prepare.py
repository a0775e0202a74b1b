"""Images to graph inputs, with Pillow and torch themselves: what the daemon's resizing is compared with.
OpenCV, which would be a dependency for one kernel, is reproduced.

`windows` follows ACL-IQA's evaluation: many windows of the image at its own size, and the whole of it, small.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from assay_training.opencv import opencv_cubic

Inputs = dict[str, np.ndarray]  # by name of the graph input

PILLOW = {
    "cubic": Image.Resampling.BICUBIC,  # close to the daemon's kernel of this name, not the same
    "pillow-cubic": Image.Resampling.BICUBIC,
    "pillow-linear": Image.Resampling.BILINEAR,
}


def prepare(image: Image.Image, spec: dict) -> Inputs:
    """One image as the manifest's `image` says, without the batch dimension; nothing if no graph reads it.

    One view is [height, width, 3]; windows are uint8 [count, height, width, 3] and the whole, where the spec
    names it, float32 [height, width, 3] in 0..255. Raises ValueError for a mode that is not known.
    """
    if spec["input"] is None:
        return {}
    pixels = np.asarray(image.convert("RGB"))
    if spec["resize"] == "windows":
        return _windows_and_whole(pixels, spec)
    return {spec["input"]: _typed(_view(pixels, spec), spec)}


def resized(pixels: np.ndarray, width: int, height: int, kernel: str) -> np.ndarray:
    """[H, W, 3] uint8 to [height, width, 3]: uint8, but float32 with torch-linear."""
    if kernel == "torch-linear":
        return _interpolated(pixels, (height, width))
    if kernel == "opencv-cubic":
        return opencv_cubic(pixels, width, height)
    if kernel not in PILLOW:
        known = ", ".join([*PILLOW, "torch-linear", "opencv-cubic"])
        raise ValueError(f"image.kernel: only {known} are known here, found {kernel!r}")
    if pixels.shape[:2] == (height, width):
        return pixels
    image = Image.fromarray(pixels)
    if kernel.startswith("pillow-"):
        # columns first, as Pillow itself did up to 12; later ones choose the order by the sizes
        image = image.resize((width, image.height), PILLOW[kernel])
    return np.asarray(image.resize((width, height), PILLOW[kernel]))


def _interpolated(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    import torch  # here, since it takes seconds and few scorers need it

    planes = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float()
    planes = torch.nn.functional.interpolate(planes, size, mode="bilinear", align_corners=False)
    return planes[0].permute(1, 2, 0).contiguous().numpy()


def enlarged(pixels: np.ndarray, spec: dict) -> np.ndarray:
    """The pixels that windows are cut from: a shorter side below the rule's `enlargeTo` is brought to it."""
    side = spec["windows"]["enlargeTo"]
    if min(pixels.shape[:2]) >= side:
        return pixels
    return resized(pixels, *_covering(pixels, side, side), spec["kernel"])


def corners(sides: tuple[int, int], size: tuple[int, int], rule: dict) -> list[tuple[int, int]]:
    """Top and left of all full windows, row by row; sides and size are (height, width).

    Raises ValueError if there is none.
    """
    stride = rule["largeStride"] if max(sides) >= rule["largeSide"] else rule["stride"]
    tops, lefts = (range(0, side - own + 1, stride) for side, own in zip(sides, size, strict=True))
    found = [(top, left) for top in tops for left in lefts]
    if not found:
        raise ValueError(f"image.windows: {sides[1]}x{sides[0]} pixels hold no window of {size[1]}x{size[0]}")
    return found


def cut(pixels: np.ndarray, places: Sequence[tuple[int, int]], size: tuple[int, int]) -> np.ndarray:
    """[H, W, 3] and tops and lefts to windows [N, *size, 3]."""
    return np.stack([pixels[top : top + size[0], left : left + size[1]] for top, left in places])


def windows(pixels: np.ndarray, size: tuple[int, int], rule: dict) -> np.ndarray:
    """`count` of all full windows of `size` (height, width), evenly through the row-major list of them."""
    places = corners(pixels.shape[:2], size, rule)
    step = len(places) // rule["count"]
    return cut(pixels, [places[number * step] for number in range(rule["count"])], size)


def _windows_and_whole(pixels: np.ndarray, spec: dict) -> Inputs:
    rule, size, pixels = spec["windows"], (spec["height"], spec["width"]), enlarged(pixels, spec)
    found = {spec["input"]: windows(pixels, size, rule)}
    if rule.get("whole"):
        found[rule["whole"]] = resized(pixels, spec["width"], spec["height"], "torch-linear")
    return found


def _view(pixels: np.ndarray, spec: dict) -> np.ndarray:
    mode, kernel, width, height = spec["resize"], spec["kernel"], spec["width"], spec["height"]
    if mode == "stretch":
        return resized(pixels, width, height, kernel)
    if mode == "cover" and kernel != "cubic":
        return _cropped(resized(pixels, *_covering(pixels, width, height), kernel), width, height)
    if mode == "contain" and kernel != "cubic":
        return _padded(resized(pixels, *_contained(pixels, width, height), kernel), width, height)
    raise ValueError(f"image.resize: {mode!r} with kernel {kernel!r} is not known here, found {spec}")


def _covering(pixels: np.ndarray, width: int, height: int) -> tuple[int, int]:
    """Width and height of torchvision's Resize of the shorter side: the longer one is cut, not rounded."""
    own_height, own_width = pixels.shape[:2]
    if own_width * height <= own_height * width:
        return width, int(width * own_height / own_width)
    return int(height * own_width / own_height), height


def _contained(pixels: np.ndarray, width: int, height: int) -> tuple[int, int]:
    """Width and height of Pillow's ImageOps.contain, but at least a pixel."""
    own_height, own_width = pixels.shape[:2]
    if own_width / own_height > width / height:
        return width, max(1, round(own_height / own_width * width))
    return max(1, round(own_width / own_height * height)), height


def _cropped(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """The centre, as of torchvision's CenterCrop: half a pixel goes to the even neighbour."""
    top, left = round((pixels.shape[0] - height) / 2), round((pixels.shape[1] - width) / 2)
    return pixels[top : top + height, left : left + width]


def _padded(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """Centred on black, as of Pillow's ImageOps.pad."""
    top, left = round((height - pixels.shape[0]) / 2), round((width - pixels.shape[1]) / 2)
    found = np.zeros((height, width, 3), pixels.dtype)
    found[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
    return found


def _typed(pixels: np.ndarray, spec: dict) -> np.ndarray:
    """uint8 as it is; float32 as pixel * scale + offset."""
    if spec["dtype"] == "float32":
        scale, offset = np.float32(spec.get("scale", 1)), np.float32(spec.get("offset", 0))
        return pixels.astype(np.float32) * scale + offset
    if pixels.dtype != np.uint8:
        raise ValueError(f"image.dtype: kernel {spec['kernel']!r} gives float32, found {spec['dtype']!r}")
    return pixels
