"""Variants of a system's ONNX graphs: weights in 32, 16 or 8 bits, inputs and outputs as they were."""

from __future__ import annotations

import logging
import shutil
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper

from assay_training.verify import digest

FULL = "fp32"

# sums of exponentials leave the range of float16 (65504) where their logarithms do not
FLOAT_OPS = ("Exp", "Log", "LogSoftmax", "ReduceLogSumExp")
# Activations are rounded in blocks of 32, each with its own scale, and multiplied as integers: a product is
# the same in every batch. In blocks of 128 its last bit is not, which the next rounding may turn into a step.
BLOCK = 32
INTEGERS = 4  # the accuracy level that multiplies integers
FEW_WEIGHTS = 1 << 14  # matrices below this stay in float32: they are small and often near the output


def write_variants(
    folder: Path, name: str, graphs: dict[str, Path], windows: Sequence[int], smaller: Iterable[str]
) -> dict:
    """Writes FOLDER/NAME.STEP.VARIANT.onnx; returns the manifest's `variants`.

    Those of another count of windows have the files of FULL; no two files hold the same.
    smaller: names of SMALLER.
    """
    full = {
        step: _unique(shutil.copyfile(path, folder / f"{name}.{step}.{FULL}.onnx"))
        for step, path in graphs.items()
    }
    variants: dict[str, dict] = {FULL: {"graphs": full}}
    for count in windows[1:]:
        variants[f"{FULL}-{count}"] = {"graphs": full, "windows": count}
    for variant in smaller:
        made = {step: folder / f"{name}.{step}.{variant}.onnx" for step in graphs}
        for step, path in graphs.items():
            SMALLER[variant](path, made[step])
        variants[variant] = {"graphs": {step: _unique(path) for step, path in made.items()}}
    return variants


def _unique(path: Path) -> str:
    """Name of the file, or of one beside it that holds the same; then this one is removed."""
    for other in sorted(path.parent.glob("*.onnx")):
        if other != path and other.stat().st_size == path.stat().st_size and digest(other) == digest(path):
            path.unlink()
            return other.name
    return path.name


def half(source: Path, target: Path) -> None:
    """Writes `target`: the same graph in float16, float32 where sums of exponentials need it."""
    from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16

    model = _folded(onnx.load(source))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # weights below 6e-8 become 0, masks of -1e9 become -65504
        kept = [*DEFAULT_OP_BLOCK_LIST, *FLOAT_OPS]
        onnx.save(convert_float_to_float16(model, keep_io_types=True, op_block_list=kept), target)


def eight_bits(source: Path, target: Path) -> None:
    """Writes `target`: matrices of weights in 8 bits with a scale for every 32, all else in float32."""
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    logging.getLogger(MatMulNBitsQuantizer.__module__).setLevel(logging.WARNING)  # else a line a matrix
    model = _folded(onnx.load(source))
    quantiser = MatMulNBitsQuantizer(
        model,
        bits=8,
        block_size=BLOCK,
        is_symmetric=True,
        accuracy_level=INTEGERS,
        nodes_to_exclude=_small(model.graph),
    )
    quantiser.process()
    onnx.save(quantiser.model.model, target)


SMALLER = {"fp16": half, "int8": eight_bits}


def _small(graph: GraphProto) -> list[str]:
    """Names of the products with few weights."""
    sizes = {tensor.name: int(np.prod(tensor.dims)) for tensor in graph.initializer}
    return [
        node.name
        for node in graph.node
        if node.op_type == "MatMul" and sizes.get(node.input[1], FEW_WEIGHTS) < FEW_WEIGHTS
    ]


def _folded(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same computation with every product of weights as MatMul by a stored matrix.

    Torch exports x @ w.T with a stored w, as a Transpose of it or a Gemm; neither would be recognised.
    """
    graph = model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    nodes: list[NodeProto] = []
    for node in graph.node:
        if node.op_type == "Transpose" and node.input[0] in weights:
            permutation = _attributes(node).get("perm")
            _store(graph, weights, node.output[0], _array(weights[node.input[0]]).transpose(permutation))
        elif node.op_type == "Gemm" and _is_plain(node, weights):
            nodes += _product_and_sum(graph, weights, node)
        else:
            nodes.append(node)
    for number, node in enumerate(nodes):
        node.name = node.name or f"{node.op_type}_{number}"
    del graph.node[:]
    graph.node.extend(nodes)
    used = {name for node in nodes for name in node.input} | {entry.name for entry in graph.output}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    return model


def _is_plain(node: NodeProto, weights: dict[str, TensorProto]) -> bool:
    """Whether a Gemm is x @ w or x @ w.T with stored weights, plus perhaps a bias."""
    found = _attributes(node)
    scaled = found.get("alpha", 1) != 1 or found.get("beta", 1) != 1
    return node.input[1] in weights and not scaled and not found.get("transA")


def _product_and_sum(graph: GraphProto, weights: dict[str, TensorProto], node: NodeProto) -> list[NodeProto]:
    name = node.input[1]
    if _attributes(node).get("transB"):
        name += "_transposed"
        if name not in weights:
            _store(graph, weights, name, _array(weights[node.input[1]]).T)
    biased = len(node.input) > 2 and node.input[2]
    product = f"{node.output[0]}_product" if biased else node.output[0]
    found = [helper.make_node("MatMul", [node.input[0], name], [product], f"{node.output[0]}_MatMul")]
    if biased:
        sums = [product, node.input[2]]
        found.append(helper.make_node("Add", sums, list(node.output), f"{node.output[0]}_Add"))
    return found


def _store(graph: GraphProto, weights: dict[str, TensorProto], name: str, values: np.ndarray) -> None:
    weights[name] = numpy_helper.from_array(np.ascontiguousarray(values), name)
    graph.initializer.append(weights[name])


def _array(tensor: TensorProto) -> np.ndarray:
    return numpy_helper.to_array(tensor)


def _attributes(node: NodeProto) -> dict:
    return {found.name: helper.get_attribute_value(found) for found in node.attribute}
