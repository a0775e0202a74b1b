"""Tensors as ComfyUI passes them, and single images as the daemon takes them."""

from __future__ import annotations

from .failures import fail
from .values import Values

#: Colour channels of a tensor, and the raw format that carries them.
_FORMATS = {1: "rgb8", 3: "rgb8", 4: "rgba8"}


def single_images(batches) -> list:
    """The images [H, W, C] of a batch [B, H, W, C] or a list of such, in order; views, nothing is copied.

    Frames of a video [B, T, H, W, C] count as images; what is no image at all stays one item, and fails as such.
    None is nothing.
    """
    return [image for group in grouped_images(batches) for image in group]


def grouped_images(batches) -> list[list]:
    """The same, a list for each batch."""
    given = batches if isinstance(batches, (list, tuple)) else [batches]
    return [_images_of(batch) for batch in given]


def _images_of(batch) -> list:
    if batch is None:
        return []
    batch = _as_tensor(batch)
    shape = tuple(getattr(batch, "shape", ()))
    if len(shape) == 5:
        batch = batch.reshape(-1, *shape[2:])
    return list(batch) if len(shape) in (4, 5) else [batch]


def _as_tensor(thing):
    """Arrays of NumPy as tensors; anything else as it is."""
    import numpy
    import torch

    if not isinstance(thing, numpy.ndarray):
        return thing
    try:
        # torch takes no other byte order, and no rows from the bottom up.
        return torch.from_numpy(numpy.array(thing, thing.dtype.newbyteorder("="), order="C"))
    except TypeError:
        return thing


def raw_image(image) -> tuple[dict, list[str]]:
    """An image [H, W, C] with 1, 3 or 4 channels as the bytes that SaveImage would write, and what was cut off.

    Values are 0..1 in any number type, on any device. Raises IMAGE_SHAPE, IMAGE_VALUES.
    """
    import torch

    shape = tuple(getattr(image, "shape", ()))
    is_tensor = isinstance(image, torch.Tensor) and not image.is_complex()
    if not is_tensor or len(shape) != 3 or shape[2] not in _FORMATS or 0 in shape:
        raise fail("IMAGE_SHAPE", found=_described(image))
    height, width, channels = shape
    data, notes = _to_bytes(image.expand(height, width, 3) if channels == 1 else image)
    return {"format": _FORMATS[channels], "width": width, "height": height, "data": data}, notes


def raw_bytes(image) -> int:
    """About how many bytes `raw_image` will make."""
    shape = tuple(getattr(image, "shape", ()))
    return shape[0] * shape[1] * max(3, shape[2]) if len(shape) == 3 else 0


def _described(thing) -> str:
    shape = getattr(thing, "shape", None)
    if shape is None:
        return f"a {type(thing).__name__}"
    return f"a {type(thing).__name__.lower()} {list(shape)} of {getattr(thing, 'dtype', 'unknown type')}"


def _to_bytes(image) -> tuple[memoryview, list[str]]:
    # NumPy, since torch would wake its threads, which then spin on the cores that the daemon needs.
    import numpy
    import torch

    floats = image.detach().to("cpu", torch.float32).numpy()
    values = Values(floats)
    if fault := values.fault():
        raise fail("IMAGE_VALUES", found=f"{_described(image)}, {fault}")
    levels = numpy.multiply(floats, numpy.float32(255))
    numpy.clip(levels, 0, 255, out=levels)
    note = values.note()
    return memoryview(numpy.ascontiguousarray(levels.astype(numpy.uint8))).cast("B"), [note] if note else []
