"""What a graph that ships holds: its four-bit matrices, so that heads can be fitted anew on the very same
tower, and its heads, so that the tower can be written anew below them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from assay_training.base.blocks import Blocked, Product
from assay_training.base.compress import SHAPE
from assay_training.base.score_graph import HEADS, INPUTS, OUTPUTS, save_heads
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


def keep_heads(graph: Path, tower: Path, target: Path) -> None:
    """The heads of a graph that ships, to the bit, on another tower. Raises DataError if it holds none."""
    model = onnx.load(graph)
    nodes = [node for node in model.graph.node if node.name.startswith(HEADS)]
    used = {name for node in nodes for name in node.input}
    if not {"statistics", "embedding"} <= used:
        raise DataError(f"{graph}: no heads on statistics and embedding")
    constants = [entry for entry in model.graph.initializer if entry.name in used]
    ends = (
        [
            helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", size])
            for name, size in sizes.items()
        ]
        for sizes in (INPUTS, OUTPUTS)
    )
    heads = helper.make_model(
        helper.make_graph(nodes, "heads", *ends, constants),
        opset_imports=[entry for entry in model.opset_import if not entry.domain],
        ir_version=model.ir_version,
    )
    save_heads(tower, heads, target)
