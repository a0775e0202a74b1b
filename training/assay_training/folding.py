"""An ONNX graph with its weights in the one form that quantisation recognises: x @ w with a stored w.

Torch exports x @ w.T with a stored w, as a product with a Transpose of it or as a Gemm.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, helper, numpy_helper


def folded(model: ModelProto) -> ModelProto:
    """The same model, changed: every product with weights is a named MatMul. Shared weights stay shared."""
    graph = model.graph
    weights, outputs = _Weights(graph), {entry.name for entry in graph.output}
    nodes: list[NodeProto] = []
    renamed: dict[str, str] = {}
    for node in graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = renamed.get(name, name)
        if node.op_type == "Transpose" and node.input[0] in weights and node.output[0] not in outputs:
            axes = _attributes(node).get("perm") or range(len(weights.shape(node.input[0])))[::-1]
            renamed[node.output[0]] = weights.transposed(node.input[0], axes)
        elif node.op_type == "Gemm" and node.input[1] in weights and _is_plain(_attributes(node)):
            nodes += _product_and_sum(weights, node)
        else:
            nodes.append(node)
    for number, node in enumerate(nodes):
        node.name = node.name or f"{node.op_type}_{number}"
    del graph.node[:]
    graph.node.extend(nodes)
    weights.keep({name for node in nodes for name in _read(node)} | outputs)
    return model


class _Weights:
    """The initialisers of a graph by name."""

    def __init__(self, graph: GraphProto) -> None:
        self.graph, self.tensors = graph, {tensor.name: tensor for tensor in graph.initializer}

    def __contains__(self, name: str) -> bool:
        return name in self.tensors

    def shape(self, name: str) -> tuple[int, ...]:
        return tuple(self.tensors[name].dims)

    def transposed(self, name: str, axes: Sequence[int]) -> str:
        """Name of the initialiser that holds another one's transpose, made when it is first asked for."""
        found = f"{name}_axes_{'_'.join(map(str, axes))}"
        if found not in self.tensors:
            values = numpy_helper.to_array(self.tensors[name]).transpose(axes)
            self.tensors[found] = numpy_helper.from_array(np.ascontiguousarray(values), found)
        return found

    def keep(self, names: set[str]) -> None:
        """Leaves those in the graph that are needed, and adds the new ones: what is large is not copied."""
        stored = self.graph.initializer
        for place in reversed(range(len(stored))):
            if stored[place].name not in names:
                del self.tensors[stored[place].name], stored[place]
        known = {tensor.name for tensor in stored}
        stored.extend(tensor for name, tensor in self.tensors.items() if name in names - known)


def _is_plain(attributes: dict) -> bool:
    """Whether a Gemm is x @ w or x @ w.T, plus perhaps a bias."""
    return attributes.get("alpha", 1) == attributes.get("beta", 1) == 1 and not attributes.get("transA")


def _product_and_sum(weights: _Weights, node: NodeProto) -> list[NodeProto]:
    turned = _attributes(node).get("transB")
    weight = weights.transposed(node.input[1], (1, 0)) if turned else node.input[1]
    (output,) = node.output
    if len(node.input) < 3 or not node.input[2]:
        return [helper.make_node("MatMul", [node.input[0], weight], [output], f"{output}_MatMul")]
    product = f"{output}_product"
    return [
        helper.make_node("MatMul", [node.input[0], weight], [product], f"{output}_MatMul"),
        helper.make_node("Add", [product, node.input[2]], [output], f"{output}_Add"),
    ]


def _read(node: NodeProto) -> Iterator[str]:
    """Names that a node reads, and the bodies of its loops."""
    yield from node.input
    for found in node.attribute:
        for inner in found.g.node:
            yield from _read(inner)


def _attributes(node: NodeProto) -> dict:
    return {found.name: helper.get_attribute_value(found) for found in node.attribute}
