"""Graphs with their weights in a file beside them: an ONNX file itself holds no more than 2 GB.

The weights of `NAME.onnx` are in `NAME.onnx.data`, which the graph names; so both are copied together.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import onnx
from onnx import ModelProto, TensorProto
from onnx.external_data_helper import load_external_data_for_model

MOST_BYTES = 1_900_000_000  # of weights in the graph's own file
SMALL = 1024  # bytes of a tensor that stays in the graph: shapes are read from there


def data_file(path: Path) -> Path:
    """Where the weights of a graph are, if they are beside it."""
    return path.with_name(f"{path.name}.data")


def is_beside(path: Path) -> bool:
    """Whether the weights of a graph are in a file of their own."""
    return data_file(path).is_file()


def load(path: Path) -> ModelProto:
    """The whole model in memory, with the types of all that is in between."""
    model = onnx.load(path, load_external_data=False)
    if not is_beside(path):
        return model
    typed = onnx.shape_inference.infer_shapes(model)  # cannot be done once the weights are there
    load_external_data_for_model(typed, str(path.parent))
    return typed


def save(model: ModelProto, path: Path) -> None:
    """Writes a model, which is of no use any more if its weights take more than MOST_BYTES."""
    beside = sum(len(tensor.raw_data) for tensor in model.graph.initializer) > MOST_BYTES
    data_file(path).unlink(missing_ok=True)  # onnx would append to it
    onnx.save(model, path, save_as_external_data=beside, location=data_file(path).name, size_threshold=SMALL)


def copy(source: Path, target: Path) -> Path:
    """The same under another name, which is returned."""
    if not is_beside(source):
        return shutil.copyfile(source, target)
    model = onnx.load(source, load_external_data=False)
    for tensor in model.graph.initializer:
        if tensor.data_location == TensorProto.EXTERNAL:
            for entry in tensor.external_data:
                entry.value = data_file(target).name if entry.key == "location" else entry.value
    onnx.save(model, target)
    shutil.copyfile(data_file(source), data_file(target))  # no link: onnx mistrusts them
    return target
