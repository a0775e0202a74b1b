"""Plain values as MessagePack, since hosts need not have a package for it, and pixels need not be copied."""

from __future__ import annotations

import struct

Buffer = bytes | bytearray | memoryview


def packed(value: object) -> list[Buffer]:
    """The message in pieces; the pixels in it are pieces of their own. Halves of characters become `?`."""
    pieces: list[Buffer] = [bytearray()]
    _put(value, pieces)
    return [piece for piece in pieces if len(piece)]


def _put(value: object, pieces: list[Buffer]) -> None:
    out = pieces[-1]
    if value is None:
        out += b"\xc0"
    elif isinstance(value, bool):
        out += b"\xc3" if value else b"\xc2"
    elif isinstance(value, int):
        out += struct.pack(">Bq", 0xD3, value)
    elif isinstance(value, float):
        out += struct.pack(">Bd", 0xCB, value)
    elif isinstance(value, str):
        text = value.encode("utf-8", "replace")
        out += struct.pack(">BI", 0xDB, len(text)) + text
    elif isinstance(value, dict):
        out += struct.pack(">BI", 0xDF, len(value))
        for key, inner in value.items():
            _put(key, pieces)
            _put(inner, pieces)
    elif isinstance(value, (list, tuple)):
        out += struct.pack(">BI", 0xDD, len(value))
        for inner in value:
            _put(inner, pieces)
    else:
        data = memoryview(value).cast("B")
        out += struct.pack(">BI", 0xC6, len(data))
        pieces += [data, bytearray()]
