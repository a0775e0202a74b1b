"""Tensors as ComfyUI passes them, and single images as the daemon takes them."""

from __future__ import annotations

from .failures import fail

#: Colour channels of a tensor, and the raw format that carries them.
_FORMATS = {1: "rgb8", 3: "rgb8", 4: "rgba8"}


def single_images(batches) -> list:
    """The images [H, W, C] of a batch [B, H, W, C] or a list of such, in order; views, nothing is copied.

    Frames of a video [B, T, H, W, C] count as images; what is no image at all stays one item, and fails as such.
    """
    found: list = []
    for batch in batches if isinstance(batches, (list, tuple)) else [batches]:
        shape = tuple(getattr(batch, "shape", ()))
        if len(shape) == 5:
            batch = batch.reshape(-1, *shape[2:])
        found.extend(batch if len(shape) in (4, 5) else [batch])
    return found


def raw_image(image) -> dict:
    """An image [H, W, C] with 1, 3 or 4 channels as the bytes that SaveImage would write.

    Values are 0..1 in any float type; what lies outside is cut off, and NaN is black. Raises IMAGE_UNSUPPORTED.
    """
    shape = tuple(getattr(image, "shape", ()))
    if len(shape) != 3 or shape[2] not in _FORMATS or 0 in shape:
        raise fail("IMAGE_UNSUPPORTED", found=f"a tensor of shape {list(shape)}")
    height, width, channels = shape
    data = _to_bytes(image.expand(height, width, 3) if channels == 1 else image)
    return {"format": _FORMATS[channels], "width": width, "height": height, "data": data}


def raw_bytes(image) -> int:
    """About how many bytes `raw_image` will make."""
    shape = tuple(getattr(image, "shape", ()))
    return shape[0] * shape[1] * max(3, shape[2]) if len(shape) == 3 else 0


def _to_bytes(image) -> memoryview:
    # NumPy, since torch would wake its threads, which then spin on the cores that the daemon needs.
    import numpy
    import torch

    levels = numpy.multiply(image.detach().to("cpu", torch.float32).numpy(), numpy.float32(255))
    numpy.fmax(levels, 0, out=levels)  # NaN becomes 0
    numpy.fmin(levels, 255, out=levels)
    return memoryview(numpy.ascontiguousarray(levels.astype(numpy.uint8))).cast("B")
