"""Static int8 quantisation of an ONNX graph, made so that every CPU computes the same integers."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process


class _Batches(CalibrationDataReader):
    def __init__(self, name: str, batches: Iterable[np.ndarray]) -> None:
        self.batches: Iterator[dict] = ({name: batch} for batch in batches)

    def get_next(self) -> dict | None:
        return next(self.batches, None)


def quantise(
    source: Path, target: Path, name: str, batches: Iterable[np.ndarray], keep_float: Iterable[str]
) -> None:
    """Writes `target`: convolutions and sums in int8 (QDQ), calibrated on `batches` for the input `name`.

    Weights use one scale per channel and 7 of 8 bits: CPUs without VNNI add pairs of uint8 x int8 products in
    saturating 16 bits, which 8-bit weights overflow (255 * 128 * 2 > 32767), so results would depend on the CPU.
    Nodes in `keep_float` stay in float.
    """
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
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )
