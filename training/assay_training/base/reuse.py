"""The four-bit matrices of a graph that ships, so that heads can be fitted anew on the very same tower."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from assay_training.base.blocks import Blocked, Product
from assay_training.base.compress import SHAPE
from assay_training.data import DataError
from assay_training.tower.clip import MATRICES


def read_products(graph: Path) -> dict[str, Product]:
    """Matrices of every block in the order in which `export_tower` wrote them, by the names of `Compressed`.

    Raises DataError if the graph does not hold as many.
    """
    model = onnx.load(graph).graph
    constants = {entry.name: numpy_helper.to_array(entry) for entry in model.initializer}
    found = [node for node in model.node if node.op_type == "MatMulNBits"]
    names = [f"{block}.{matrix}" for block in range(SHAPE.blocks) for matrix in MATRICES]
    if len(found) != len(names):
        raise DataError(f"{graph}: {len(found)} four-bit products, expected {len(names)}")
    return {name: _product(node, constants) for name, node in zip(names, found, strict=True)}


def _product(node: onnx.NodeProto, constants: dict[str, np.ndarray]) -> Product:
    _, codes, step = node.input
    bias = constants[codes.replace(".codes", ".bias.half")]
    packed = constants[codes]
    rows = len(packed)
    each = np.stack([packed & 15, packed >> 4], -1).reshape(rows, -1)
    return Product(Blocked(each, constants[step].reshape(rows, -1)), bias.astype(np.float32))
