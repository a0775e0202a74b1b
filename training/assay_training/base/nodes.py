"""Nodes of four-bit products."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from assay_training.base.blocks import BLOCK, Blocked
from assay_training.graph import CONTRIBUTED, Graph
from assay_training.tower.export import float_constant, sizes, stored

# of MatMulNBits: activations become int8, one step for each BLOCK of them; sums of 4 x 8 bits never leave 16
INT8_ACTIVATIONS, FLOAT_ACTIVATIONS = 4, 0
STEPS, SMALLEST = 127, 1e-20  # what the largest activation of a block becomes; a step that is never 0


@dataclass(frozen=True)
class Rows:
    """How many a product has; the first is the class token, those from `spare` on no token sees."""

    count: int
    spare: int


def nbits_product(
    graph: Graph,
    x: str,
    matrix: Blocked,
    bias: np.ndarray,
    name: str,
    accuracy: int | None = INT8_ACTIVATIONS,
    rows: Rows | None = None,
) -> str:
    """x [..., C] times the matrix [R, C], and the bias [R] added; without `accuracy` a plain float
    product.

    With eight-bit activations and `rows` of x [n, T, C], the first row is multiplied in two parts: a score
    hangs on the class token, whose error no other token evens out. The daemon leaves that away where
    activations are float (`whole.ts`, by the names `.rows` and `.whole`).
    """
    shift = stored(graph, bias, f"{name}.bias")
    if accuracy is None:
        plain = graph.constant(matrix.matrix().T, f"{name}.matrix")
        return graph.node("Add", graph.node("MatMul", x, plain), shift)
    outputs, columns = matrix.codes.shape
    codes = graph.constant(matrix.packed(), f"{name}.codes")
    # float16 would do as well, but then the CPU widens them at every run
    step = graph.constant(matrix.step.ravel(), f"{name}.step")
    attributes = {"K": columns, "N": outputs, "bits": 4, "block_size": BLOCK, "accuracy_level": accuracy}
    in_parts = rows and accuracy == INT8_ACTIVATIONS
    x = _in_parts(graph, x, columns, rows, name) if in_parts else x
    found = graph.node("MatMulNBits", x, codes, step, domain=CONTRIBUTED, **attributes)
    found = _whole(graph, found, rows, name) if in_parts else found
    return graph.node("Add", found, shift)


def _in_parts(graph: Graph, x: str, columns: int, rows: Rows, name: str) -> str:
    """What eight bits hold of the first row in its place, and in the spare one what they leave."""
    blocks = graph.node("Reshape", _part(graph, x, 0, 1), sizes(graph, 0, columns // BLOCK, BLOCK))
    largest = graph.node("ReduceMax", graph.node("Abs", blocks), axes=[2], keepdims=1)
    step = graph.node("Mul", largest, float_constant(graph, 1 / STEPS))
    step = graph.node("Max", step, float_constant(graph, SMALLEST))
    held = graph.node("Mul", graph.node("Round", graph.node("Div", blocks, step)), step)
    left = graph.node("Sub", blocks, held)
    first, last = (graph.node("Reshape", part, sizes(graph, 0, 1, columns)) for part in (held, left))
    others = _part(graph, x, 1, rows.spare), _part(graph, x, rows.spare + 1, rows.count)
    return graph.node("Concat", first, others[0], last, others[1], axis=1, name=f"{name}.rows")


def _whole(graph: Graph, found: str, rows: Rows, name: str) -> str:
    """The product of the first row, from those of its parts."""
    first = graph.node("Add", _part(graph, found, 0, 1), _part(graph, found, rows.spare, rows.spare + 1))
    return graph.node("Concat", first, _part(graph, found, 1, rows.count), axis=1, name=f"{name}.whole")


def _part(graph: Graph, x: str, start: int, stop: int) -> str:
    return graph.node("Slice", x, sizes(graph, start), sizes(graph, stop), sizes(graph, 1))
