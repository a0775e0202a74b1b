"""Nodes of four-bit products."""

from __future__ import annotations

import numpy as np

from assay_training.base.blocks import BLOCK, Blocked
from assay_training.graph import CONTRIBUTED, Graph
from assay_training.tower.export import stored

# of MatMulNBits: activations become int8, one step for each BLOCK of them; sums of 4 x 8 bits never leave 16
INT8_ACTIVATIONS = 4


def nbits_product(
    graph: Graph,
    x: str,
    matrix: Blocked,
    bias: np.ndarray,
    name: str,
    accuracy: int | None = INT8_ACTIVATIONS,
) -> str:
    """x [..., C] times the matrix [R, C], and the bias [R] added; without `accuracy` a plain float
    product."""
    shift = stored(graph, bias, f"{name}.bias")
    if accuracy is None:
        plain = graph.constant(matrix.matrix().T, f"{name}.matrix")
        return graph.node("Add", graph.node("MatMul", x, plain), shift)
    rows, columns = matrix.codes.shape
    codes = graph.constant(matrix.packed(), f"{name}.codes")
    # float16 would do as well, but then the CPU widens them at every run
    step = graph.constant(matrix.step.ravel(), f"{name}.step")
    attributes = {"K": columns, "N": rows, "bits": 4, "block_size": BLOCK, "accuracy_level": accuracy}
    found = graph.node("MatMulNBits", x, codes, step, domain=CONTRIBUTED, **attributes)
    return graph.node("Add", found, shift)
