"""Arrays and tensors as 8-bit pixels: which axis holds the channels, and which scale the values have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .link.failures import AssayFailure, fail

_FORMATS = {1: "rgb8", 3: "rgb8", 4: "rgba8"}
#: Share of values that may lie outside 0..1, as the filters of a resize leave them; more are another scale.
_STRAY_SHARE = 0.001
#: Beyond 0..1 by less than half a level of 8 bits nothing is lost.
_HALF_LEVEL = 0.5 / 255

_PLAIN = "x.to(torch.uint8) or x.astype(numpy.uint8)"
_LAYOUTS = (
    "Pass NCHW or NHWC (one image: CHW or HWC) with 1, 3 or 4 channels; of a video pass its frames, "
    "and of a grey image x[None]."
)

#: Name, what makes the wire's image, bytes, notes.
Made = tuple[str, Callable[[], dict], int, list[str]]


def array_pictures(name: str, given: Any, channels_first: bool | None, single: bool = False) -> Iterator[Made]:
    """The images of an array [N, …] or of one image; `single` for an element of a list, which is one image.

    Raises IMAGE_SHAPE, IMAGE_VALUES for what is wrong with all of it. NaN and infinities are the fault of their image
    alone: what makes it raises IMAGE_VALUES.
    """
    array = _as_numpy(name, given)
    described = _described(given)
    if array.ndim == 3:
        array, names = array[None], [name]
    elif array.ndim == 4 and (not single or array.shape[0] == 1):
        names = [name] if single else [f"{name}[{at}]" for at in range(array.shape[0])]
    else:
        raise _shape(name, described)
    if 0 in array.shape[1:]:
        raise _shape(name, described)
    if _is_channels_first(name, described, array.shape, channels_first):
        array = array.transpose(0, 2, 3, 1)
    convert = _checked(name, described, array)
    for part, image in zip(names, array):
        height, width, channels = image.shape
        notes: list[str] = []
        yield part, convert(part, image, notes), height * width * max(3, channels), notes


def _as_numpy(name: str, given: Any) -> np.ndarray:
    """Tensors from any device; what has no type in NumPy, such as bfloat16, as float32."""
    if isinstance(given, np.ndarray):
        array = given
    else:
        try:
            tensor = given.detach() if hasattr(given, "detach") else given
            if getattr(tensor, "is_floating_point", lambda: False)():
                tensor = tensor.float()
            tensor = tensor.cpu() if hasattr(tensor, "cpu") else tensor
            array = np.asarray(tensor)
        except (TypeError, ValueError, RuntimeError) as cause:
            raise _shape(name, f"{_described(given)}: {cause}") from cause
    if array.dtype == np.uint8 or array.dtype.kind == "f":
        return array
    remedy = f"Pass floats 0..1 or 8 bits: {_PLAIN} where its values are whole numbers 0..255."
    raise fail("IMAGE_SHAPE", name=name, found=f"{_described(given)}, which is neither float nor uint8", remedy=remedy)


def _described(given: Any) -> str:
    return f"a {type(given).__name__.lower()} {list(given.shape)} of {given.dtype}"


def _shape(name: str, found: str) -> AssayFailure:
    return fail("IMAGE_SHAPE", name=name, found=found, remedy=_LAYOUTS)


def _is_channels_first(name: str, described: str, shape: tuple[int, ...], asked: bool | None) -> bool:
    first, last = shape[1] in _FORMATS, shape[3] in _FORMATS
    if asked is not None and (first if asked else last):
        return asked
    if asked is None and first != last:
        return first
    if asked is None and first and last:
        found = f"{described}, which may be NCHW as well as NHWC"
        raise fail("IMAGE_SHAPE", name=name, found=found, remedy='Say which it is: layout="NCHW" or layout="NHWC".')
    raise _shape(name, described)


def _checked(
    name: str, described: str, array: np.ndarray
) -> Callable[[str, np.ndarray, list[str]], Callable[[], dict]]:
    """How each image is converted, once it is known that the scale is right for all: a bright image alone looks right
    in many a scale."""
    if array.dtype == np.uint8:
        return lambda _name, image, _notes: lambda: _wire(image)
    low, high = _range(array)
    is_clean = low >= -_HALF_LEVEL and high <= 1 + _HALF_LEVEL  # NaN is not
    if not is_clean:
        _check_scale(name, described, array[np.isfinite(array)])

    def convert(part: str, image: np.ndarray, notes: list[str]) -> Callable[[], dict]:
        if not is_clean and (fault := _bad_numbers(image)):
            failure = fail("IMAGE_VALUES", name=part, found=fault, remedy=_NOT_FINITE)
            return lambda: _throw(failure)
        if not is_clean and (note := _cut_off(image)):
            notes.append(note)
        made = _wire(_levels(image))
        return lambda: made

    return convert


_NOT_FINITE = "They come from what made it, often a VAE in half precision: decode in float32 or bfloat16."


def _throw(failure: AssayFailure) -> dict:
    raise failure


def _range(values: np.ndarray) -> tuple[float, float]:
    return (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)


def _check_scale(name: str, described: str, values: np.ndarray) -> None:
    low, high = _range(values)
    if _outside(values) <= _STRAY_SHARE * values.size and low >= -1 and high <= 2:
        return
    remedy = "Divide it by 255." if high > 2 and low >= 0 else "Pass (x + 1) / 2 where −1..1 is meant."
    raise fail("IMAGE_VALUES", name=name, found=f"{described}, from {low:.4g} to {high:.4g}", remedy=remedy)


def _levels(image: np.ndarray) -> np.ndarray:
    levels = np.multiply(image, np.float32(255), dtype=np.float32)
    np.rint(levels, out=levels)
    np.clip(levels, 0, 255, out=levels)
    return levels.astype(np.uint8)


def _outside(values: np.ndarray) -> int:
    return int(np.count_nonzero((values < -_HALF_LEVEL) | (values > 1 + _HALF_LEVEL)))


def _cut_off(image: np.ndarray) -> str | None:
    if count := _outside(image):
        return f"{count / image.size:.2%} of its values lie outside 0 to 1 and were cut off"
    return None


def _bad_numbers(image: np.ndarray) -> str | None:
    if np.isfinite(image).all():
        return None
    nan = int(np.count_nonzero(np.isnan(image)))
    counts = ((nan, "NaN"), (int(np.count_nonzero(np.isinf(image))), "infinite"))
    return f"{' and '.join(f'{count} {what}' for count, what in counts if count)} among its {image.size} values"


def _wire(image: np.ndarray) -> dict:
    """The wire's form of 8-bit pixels [H, W, C]."""
    height, width, channels = image.shape
    pixels = np.repeat(image, 3, axis=2) if channels == 1 else np.ascontiguousarray(image)
    return {"format": _FORMATS[channels], "width": width, "height": height, "data": pixels.data.cast("B")}
