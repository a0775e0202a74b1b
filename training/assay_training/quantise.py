"""Static int8 quantisation of an ONNX graph, made so that every CPU computes the same integers."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from assay_training.scorer import open_session


class _Batches(CalibrationDataReader):
    def __init__(self, name: str, batches: Iterable[np.ndarray]) -> None:
        self.batches: Iterator[dict] = ({name: batch} for batch in batches)

    def get_next(self) -> dict | None:
        return next(self.batches, None)


def quantise(
    source: Path,
    target: Path,
    name: str,
    batches: Iterable[np.ndarray],
    keep_float: Iterable[str] = (),
    seven_bits: Iterable[str] = (),
) -> None:
    """Writes `target`: convolutions and sums in int8 (QDQ), calibrated on `batches` for the input `name`.

    Nodes in `keep_float` stay in float. Weights have one scale per channel. Those in `seven_bits`
    (initialiser names) use 7 of 8 bits, which every kernel that runs as a matrix product needs: CPUs
    without VNNI add pairs of uint8 x int8 products in saturating 16 bits, and since 255 * 128 * 2 > 32767
    results would depend on the CPU.
    """
    narrow = {"quant_type": QuantType.QInt8, "axis": 0, "reduce_range": True, "symmetric": True}
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(source, prepared, skip_symbolic_shape=True, skip_optimization=True)
        quantize_static(
            prepared,
            target,
            _Batches(name, batches),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "Clip", "Add"],
            nodes_to_exclude=list(keep_float),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={"TensorQuantOverrides": {weight: [dict(narrow)] for weight in seven_bits}},
        )


def match_mean(reference: Path, target: Path, name: str, bias: str, batches: Iterable[np.ndarray]) -> float:
    """Shifts entry 0 of the initialiser `bias` in `target` so that both graphs agree on average.

    Rounding errors of weights do not average out; this removes their common part. Returns the shift.
    """
    sessions = [open_session(path) for path in (reference, target)]
    outputs = [[session.run(None, {name: batch})[0][:, 0] for session in sessions] for batch in batches]
    expected, found = (np.concatenate(part).mean() for part in zip(*outputs, strict=True))
    model = onnx.load(target)
    (stored,) = [value for value in model.graph.initializer if value.name == bias]
    values = numpy_helper.to_array(stored).copy()
    values[0] += expected - found
    stored.CopyFrom(numpy_helper.from_array(values, bias))
    onnx.save(model, target)
    return float(expected - found)
