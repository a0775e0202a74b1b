"""Reads weights out of a TensorFlow Lite file: only what is needed to rebuild a convolutional net elsewhere.

A tflite file is a flatbuffer. Field numbers below are those of the published schema
(tensorflow/lite/schema/schema.fbs); the encoding is described in the flatbuffers "internals" page:
a table starts with a signed offset back to its vtable, the vtable lists 16-bit field offsets (0 = absent).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

DTYPES = {0: np.float32, 1: np.float16, 2: np.int32, 3: np.uint8, 4: np.int64, 9: np.int8}
OPERATORS = {
    0: "ADD",
    1: "AVERAGE_POOL_2D",
    3: "CONV_2D",
    4: "DEPTHWISE_CONV_2D",
    9: "FULLY_CONNECTED",
    40: "MEAN",
}


class TfliteError(ValueError):
    """The file is no tflite file, is truncated, or uses something this reader does not know."""


@dataclass(frozen=True)
class Tensor:
    """One tensor: `data` is None for activations, `scale`/`zero_point` are empty when it is not quantised."""

    name: str
    shape: tuple[int, ...]
    data: np.ndarray | None
    scale: np.ndarray
    zero_point: np.ndarray
    axis: int

    def dequantised(self) -> np.ndarray:
        """float32 copy of the data, `scale * (q - zero_point)` with scales along `axis`."""
        if self.data is None:
            raise TfliteError(f"tensor {self.name} holds no data")
        values = self.data.astype(np.float32)
        if self.scale.size == 0:
            return values
        wide = [1] * values.ndim
        wide[self.axis] = self.scale.size
        return (values - self.zero_point.astype(np.float32).reshape(wide)) * self.scale.reshape(wide)


@dataclass(frozen=True)
class Operator:
    """One node: `kind` is the builtin operator's name; inputs and outputs are tensors, some inputs None."""

    kind: str
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]


def read_operators(path: Path) -> list[Operator]:
    """Operators of the first subgraph in execution order. Raises TfliteError if the file cannot be read."""
    data = path.read_bytes()
    if data[4:8] != b"TFL3":
        raise TfliteError(f"{path}: expected a tflite file (identifier TFL3), found {data[4:8]!r}")
    try:
        return _operators(data)
    except (struct.error, IndexError, ValueError) as error:
        raise TfliteError(f"{path}: truncated or damaged after {len(data)} bytes ({error})") from error


def _operators(data: bytes) -> list[Operator]:
    model = _Table(data, struct.unpack_from("<I", data, 0)[0])
    codes = [max(code.number(0, "b"), code.number(3, "i")) for code in model.tables(1)]
    buffers = [buffer.bytes(0) for buffer in model.tables(4)]
    graph = model.tables(2)[0]
    tensors = [_tensor(table, buffers) for table in graph.tables(0)]
    return [
        Operator(
            kind=OPERATORS.get(codes[op.number(0, "I")], f"builtin {codes[op.number(0, 'I')]}"),
            inputs=tuple(tensors[i] if i >= 0 else None for i in op.vector(1, "i")),
            outputs=tuple(tensors[i] for i in op.vector(2, "i")),
        )
        for op in graph.tables(3)
    ]


def _tensor(table: _Table, buffers: list[bytes]) -> Tensor:
    shape = tuple(table.vector(0, "i"))
    raw, kind = buffers[table.number(2, "I")], table.number(1, "b")
    quantisation = table.table(4)
    scale = quantisation.vector(2, "f") if quantisation else ()
    zero = quantisation.vector(3, "q") if quantisation else ()
    if raw and kind not in DTYPES:
        raise TfliteError(f"tensor type {kind} is not supported, only {sorted(DTYPES)}")
    return Tensor(
        name=table.bytes(3).decode("utf-8", "replace"),
        shape=shape,
        data=np.frombuffer(raw, DTYPES[kind]).reshape(shape) if raw else None,
        scale=np.array(scale, np.float32),
        zero_point=np.array(zero if len(zero) == len(scale) else [0] * len(scale), np.int64),
        axis=quantisation.number(6, "i") if quantisation else 0,
    )


class _Table:
    """A flatbuffer table at `start`; fields are read by number and have their type's zero when absent."""

    def __init__(self, data: bytes, start: int) -> None:
        self.data, self.start = data, start
        self.vtable = start - struct.unpack_from("<i", data, start)[0]
        self.size = struct.unpack_from("<H", data, self.vtable)[0]

    def _position(self, field: int) -> int | None:
        entry = 4 + 2 * field
        offset = struct.unpack_from("<H", self.data, self.vtable + entry)[0] if entry < self.size else 0
        return self.start + offset if offset else None

    def _follow(self, field: int) -> int | None:
        position = self._position(field)
        return None if position is None else position + struct.unpack_from("<I", self.data, position)[0]

    def number(self, field: int, code: str) -> int:
        position = self._position(field)
        return 0 if position is None else struct.unpack_from("<" + code, self.data, position)[0]

    def vector(self, field: int, code: str) -> tuple:
        position = self._follow(field)
        if position is None:
            return ()
        length = struct.unpack_from("<I", self.data, position)[0]
        return struct.unpack_from(f"<{length}{code}", self.data, position + 4)

    def bytes(self, field: int) -> bytes:
        position = self._follow(field)
        if position is None:
            return b""
        length = struct.unpack_from("<I", self.data, position)[0]
        if position + 4 + length > len(self.data):
            raise IndexError(f"a buffer of {length} bytes ends beyond the file")
        return self.data[position + 4 : position + 4 + length]

    def table(self, field: int) -> _Table | None:
        position = self._follow(field)
        return None if position is None else _Table(self.data, position)

    def tables(self, field: int) -> list[_Table]:
        position = self._follow(field)
        if position is None:
            return []
        length = struct.unpack_from("<I", self.data, position)[0]
        slots = [position + 4 + 4 * i for i in range(length)]
        return [_Table(self.data, slot + struct.unpack_from("<I", self.data, slot)[0]) for slot in slots]
