"""Images as the hosts pass them: tensors, arrays or pictures of Pillow; and as the daemon takes them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from .failures import AssayFailure, fail
from .values import Values

#: Colour channels, and the raw format that carries them.
_FORMATS = {1: "rgb8", 3: "rgb8", 4: "rgba8"}


@dataclass
class Picture:
    """An image on its way to the daemon: its pixels, or why there are none."""

    prompt: str
    raw: dict | None = None
    notes: list[str] = field(default_factory=list)
    failure: AssayFailure | None = None

    @property
    def bytes(self) -> int:
        return len(self.raw["data"]) if self.raw else 0

    @property
    def key(self) -> bytes:
        """The same for the same pixels."""
        if not self.raw:
            return b""
        shape = f"{self.raw['format']} {self.raw['width']} {self.raw['height']} ".encode()
        return hashlib.blake2b(self.raw["data"], digest_size=16, key=shape).digest()


def picture(thing, prompt: str) -> Picture:
    """Never raises: what is no image carries its failure."""
    try:
        raw, notes = raw_image(thing)
    except AssayFailure as failure:
        return Picture(prompt, failure=failure)
    except Exception as thrown:
        return Picture(prompt, failure=fail("INTERNAL", reason=repr(thrown)))
    return Picture(prompt, raw, notes)


def raw_image(thing) -> tuple[dict, list[str]]:
    """Pixels as the host will save them, and what was cut off. Raises IMAGE_SHAPE, IMAGE_VALUES."""
    import numpy

    array = _array(thing)
    if array.ndim != 3 or array.shape[2] not in _FORMATS or 0 in array.shape:
        raise fail("IMAGE_SHAPE", found=_described(thing))
    levels, notes = (array, []) if array.dtype == numpy.uint8 else _levels(array, thing)
    height, width, channels = levels.shape
    if channels == 1:
        levels = numpy.broadcast_to(levels, (height, width, 3))
    data = memoryview(numpy.ascontiguousarray(levels)).cast("B")
    return {"format": _FORMATS[channels], "width": width, "height": height, "data": data}, notes


def pillow(thing):
    """The same as a picture of Pillow, to be written to a file."""
    from PIL import Image

    if isinstance(thing, Image.Image):
        return thing
    raw, _ = raw_image(thing)
    mode = "RGB" if raw["format"] == "rgb8" else "RGBA"
    return Image.frombytes(mode, (raw["width"], raw["height"]), bytes(raw["data"]))


def _array(thing):
    """[H, W, C] in whatever numbers it has."""
    import numpy
    from PIL import Image

    while isinstance(thing, (list, tuple)) and thing:
        thing = thing[0]  # SD.Next, where a pipeline gives several for one
    if isinstance(thing, Image.Image):
        return numpy.asarray(thing if thing.mode in ("RGB", "RGBA") else thing.convert("RGB"))
    if hasattr(thing, "detach"):
        return _channels_last(_from_tensor(thing), is_first=True)
    return _channels_last(numpy.asarray(thing), is_first=False)


def _from_tensor(tensor):
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.is_floating_point() else tensor).numpy()


def _channels_last(array, is_first: bool):
    """`is_first`: where both ends could be channels, it is the first that is."""
    import numpy

    if array.ndim == 4 and array.shape[0] == 1:
        array = array[0]
    if array.ndim == 2:
        return array[:, :, None]
    if array.ndim != 3:
        return array
    begins, ends = array.shape[0] in _FORMATS, array.shape[2] in _FORMATS
    return numpy.moveaxis(array, 0, 2) if begins and (is_first or not ends) else array


def _levels(array, thing):
    import numpy

    floats = array.astype(numpy.float32, copy=False)
    values = Values(floats)
    if fault := values.fault():
        raise fail("IMAGE_VALUES", found=f"{_described(thing)}, {fault}")
    levels = numpy.multiply(floats, numpy.float32(255))
    numpy.clip(levels, 0, 255, out=levels)
    note = values.note()
    return levels.astype(numpy.uint8), [note] if note else []


def _described(thing) -> str:
    shape = getattr(thing, "shape", None)
    if shape is None:
        return f"a {type(thing).__name__}"
    return f"a {type(thing).__name__.lower()} {list(shape)} of {getattr(thing, 'dtype', 'unknown type')}"
