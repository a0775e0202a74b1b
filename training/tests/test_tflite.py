import struct

import numpy as np
import pytest

from assay_training.lite.model import Backbone
from assay_training.tflite import TfliteError, read_operators

WEIGHT = np.arange(-9, 9, dtype=np.int8).reshape(2, 3, 3, 1)
SCALE = [0.5, 0.25]


class Table(dict):
    """Field number -> (struct code, number), bytes, (struct code, list), list of Tables, or Table."""


def put(data: bytearray, value) -> int:
    """Appends a flatbuffer value, parents before children, and returns where it starts."""
    data += b"\0" * (-len(data) % 8)
    if isinstance(value, Table):
        return put_table(data, value)
    start = len(data)
    if isinstance(value, bytes):
        data += struct.pack("<I", len(value)) + value
    elif isinstance(value, tuple):
        code, numbers = value
        data += struct.pack(f"<I{len(numbers)}{code}", len(numbers), *numbers)
    else:
        data += struct.pack("<I", len(value)) + bytes(4 * len(value))
        for index, child in enumerate(value):
            link(data, start + 4 + 4 * index, child)
    return start


def put_table(data: bytearray, table: Table) -> int:
    count = max(table, default=-1) + 1
    offsets = [4 + 4 * index if index in table else 0 for index in range(count)]
    vtable = len(data)
    data += struct.pack(f"<{count + 2}H", 4 + 2 * count, 4 + 4 * count, *offsets)
    data += b"\0" * (-len(data) % 8)
    start = len(data)
    data += struct.pack("<i", start - vtable) + bytes(4 * count)
    for index, value in table.items():
        at = start + 4 + 4 * index
        if isinstance(value, tuple) and not isinstance(value[1], list):
            struct.pack_into("<" + value[0], data, at, value[1])
        else:
            link(data, at, value)
    return start


def link(data: bytearray, at: int, value) -> None:
    struct.pack_into("<I", data, at, put(data, value) - at)


@pytest.fixture
def file(tmp_path):
    """One int8 convolution with per-channel scales and an int32 bias."""

    def quantised(scale, axis):
        return Table({2: ("f", scale), 3: ("q", [0] * len(scale)), 6: ("i", axis)})

    def tensor(name, shape, kind, buffer, **more):
        return Table(
            {0: ("i", shape), 1: ("b", kind), 2: ("I", buffer), 3: name.encode(), **more.get("extra", {})}
        )

    tensors = [
        tensor("image", [1, 4, 4, 1], 0, 0),
        tensor("weight", [2, 3, 3, 1], 9, 1, extra={4: quantised(SCALE, 0)}),
        tensor("bias", [2], 2, 2, extra={4: quantised([0.1, 0.2], 0)}),
        tensor("out", [1, 4, 4, 2], 0, 0),
    ]
    operator = Table({1: ("i", [0, 1, 2]), 2: ("i", [3])})
    buffers = [Table(), Table({0: WEIGHT.tobytes()}), Table({0: np.array([10, -10], np.int32).tobytes()})]
    graph = Table({0: tensors, 3: [operator]})
    model = Table({1: [Table({0: ("b", 3)})], 2: [graph], 4: buffers})
    data = bytearray(b"\0\0\0\0TFL3")
    struct.pack_into("<I", data, 0, put(data, model))
    path = tmp_path / "tiny.tflite"
    path.write_bytes(data)
    return path


def test_reads_operators_and_dequantises_per_channel(file):
    (conv,) = read_operators(file)
    image, weight, bias = conv.inputs
    assert conv.kind == "CONV_2D"
    assert (image.shape, image.data) == ((1, 4, 4, 1), None)
    expected = WEIGHT.astype(np.float32) * np.array(SCALE, np.float32).reshape(2, 1, 1, 1)
    np.testing.assert_array_equal(weight.dequantised(), expected)
    np.testing.assert_allclose(bias.dequantised(), [1, -2], rtol=1e-6)
    assert conv.outputs[0].name == "out"


def test_every_truncation_is_a_clear_error(file):
    data = file.read_bytes()
    for length in range(8, len(data) - 8, 8):
        file.write_bytes(data[:length])
        with pytest.raises(TfliteError, match=r"tiny\.tflite: truncated or damaged"):
            read_operators(file)


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "other.bin"
    path.write_bytes(b"PK\x03\x04 something else")
    with pytest.raises(TfliteError, match="expected a tflite file"):
        read_operators(path)


def test_another_network_is_refused(file):
    with pytest.raises(TfliteError, match="expected 49 convolutions of EfficientNet-Lite0, found 1"):
        Backbone().load_tflite(file)
