"""Plain values to MessagePack and back."""

from __future__ import annotations

from .failures import fail

#: Room for the fields around the pixels, so that packing does not copy them while it grows its buffer.
_SPARE_BYTES = 64 * 1024


def _msgpack():
    """Imported on first use: without the package the nodes of a host still load, and say what is missing."""
    try:
        import msgpack
    except ImportError as cause:
        raise fail("PYTHON_PACKAGE_MISSING", package="msgpack") from cause
    return msgpack


def pack(message: dict, size: int = 0) -> bytes:
    """`size` is about how many bytes are in the message. Halves of characters, as cut texts have them, become `?`."""
    return _msgpack().Packer(buf_size=size + _SPARE_BYTES, unicode_errors="replace").pack(message)


def unpack(data: bytes) -> dict:
    """Raises what msgpack raises for bytes that are no message."""
    message = _msgpack().unpackb(data)
    if not isinstance(message, dict):
        raise ValueError("not a map")
    return message
