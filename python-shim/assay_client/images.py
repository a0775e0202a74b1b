"""Whatever people have as an image, made into what the wire takes: raw 8-bit pixels, or the bytes of a file.

Arrays of NumPy and tensors of torch are converted here, once; files and pictures of Pillow when their turn comes, so
that thousands of paths take no memory. Neither torch nor Pillow is imported: who brings an image of theirs has them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from .arrays import array_pictures
from .link.failures import AssayFailure, fail

#: Modes of Pillow that convert to 8 bits without loss of meaning; those with more bits are cut off instead of scaled.
_RGB_MODES = frozenset(("1", "L", "P", "RGB", "CMYK", "YCbCr", "HSV", "LAB", "RGBX"))
_RGBA_MODES = frozenset(("RGBA", "LA", "PA", "La", "RGBa"))


@dataclass
class Picture:
    """One image of a call."""

    #: How messages call it: `images[3]`.
    name: str
    #: Makes what goes on the wire; raises AssayFailure for a fault of this image alone.
    load: Callable[[], Any]
    #: About how many bytes that has.
    size: int
    source: str | None = None
    notes: list[str] = field(default_factory=list)


def pictures_of(images: Any, layout: str | None = None) -> list[Picture]:
    """One picture for each image, in order.

    Raises what is wrong with the call as a whole: IMAGE_SHAPE for what is no image or of an unclear layout,
    IMAGE_VALUES for floats of another scale than 0..1, BAD_REQUEST for an unknown layout. In a list of images, what is
    none is the fault of that one alone.
    """
    if layout not in (None, "HWC", "CHW", "NHWC", "NCHW"):
        raise fail("BAD_REQUEST", reason=f'layout is {layout!r}; expected "NCHW" or "NHWC"')
    channels_first = None if layout is None else layout.endswith("CHW")
    if _is_one(images):
        return list(_pictures("images", images, channels_first))
    if isinstance(images, (Mapping, Set)) or not isinstance(images, Iterable):
        raise _no_image("images", images)
    return [
        picture for at, image in enumerate(images) for picture in _one_of_many(f"images[{at}]", image, channels_first)
    ]


def _one_of_many(name: str, image: Any, channels_first: bool | None) -> list[Picture]:
    try:
        return list(_pictures(name, image, channels_first, True))
    except AssayFailure as failure:
        if failure.code != "IMAGE_SHAPE":
            raise
        return [Picture(name, partial(_refused, failure), 0)]


def _refused(failure: AssayFailure) -> Any:
    raise failure


def _is_one(images: Any) -> bool:
    return isinstance(images, (str, bytes, bytearray, memoryview, os.PathLike)) or _is_array(images) or _is_pil(images)


def _is_array(thing: Any) -> bool:
    return hasattr(thing, "shape") and hasattr(thing, "dtype")


def _is_pil(thing: Any) -> bool:
    """A picture cannot be there before its library is."""
    pillow = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(thing, pillow.Image)


def _pictures(name: str, image: Any, channels_first: bool | None, single: bool = False) -> Iterator[Picture]:
    if _is_array(image):
        for part, load, size, notes in array_pictures(name, image, channels_first, single):
            yield Picture(part, load, size, notes=notes)
    elif _is_pil(image):
        yield Picture(name, lambda: _pil_pixels(name, image), image.width * image.height * 4)
    elif isinstance(image, (bytes, bytearray, memoryview)):
        yield Picture(name, lambda: _not_empty(name, bytes(image)), len(image))
    elif isinstance(image, (str, os.PathLike)):
        path = os.fspath(image)
        yield Picture(name, lambda: _file(name, path), _size_of(path), source=str(path))
    else:
        raise _no_image(name, image)


def _no_image(name: str, thing: Any) -> AssayFailure:
    kinds = "tensors of torch, arrays of NumPy, pictures of Pillow, paths, or the bytes of files"
    return fail("IMAGE_SHAPE", name=name, found=f"a {type(thing).__name__}", remedy=f"Pass {kinds}.")


def _not_empty(name: str, data: bytes) -> bytes:
    if not data:
        raise fail("IMAGE_EMPTY", name=name)
    return data


def _size_of(path: str | bytes) -> int:
    try:
        return Path(os.fsdecode(path)).stat().st_size
    except (OSError, ValueError):
        return 0


def _file(name: str, path: str | bytes) -> bytes:
    place = os.fsdecode(path)
    try:
        return _not_empty(name, Path(place).read_bytes())
    except FileNotFoundError as cause:
        raise fail("FILE_NOT_FOUND", path=place) from cause
    except (OSError, ValueError) as cause:
        raise fail("FILE_UNREADABLE", path=place, reason=getattr(cause, "strerror", None) or cause) from cause


def _pil_pixels(name: str, picture: Any) -> dict:
    """The pixels as they are stored: a rotation that the file asks for is not applied."""
    mode = picture.mode
    has_alpha = mode in _RGBA_MODES or "transparency" in picture.info
    if mode not in _RGB_MODES and mode not in _RGBA_MODES:
        raise fail(
            "IMAGE_SHAPE",
            name=name,
            found=f"a picture of Pillow with mode {mode}, which has no 8-bit channels",
            remedy='Scale it to 8 bits first, then .convert("RGB"): Pillow itself cuts such values off.',
        )
    target = "RGBA" if has_alpha else "RGB"
    try:
        if mode in ("La", "RGBa"):
            picture = picture.convert({"La": "LA", "RGBa": "RGBA"}[mode])
        data = (picture if picture.mode == target else picture.convert(target)).tobytes()
    except (OSError, ValueError, SyntaxError) as cause:
        raise fail("FILE_UNREADABLE", path=name, reason=cause) from cause
    return {"format": f"{target.lower()}8", "width": picture.width, "height": picture.height, "data": data}
