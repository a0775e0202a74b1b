"""Variants of a system's ONNX graphs: weights in 32, 16 or 8 bits, inputs and outputs as they were."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper

from assay_training import beside
from assay_training.folding import folded
from assay_training.verify import digest

FULL = "fp32"

# sums of exponentials leave the range of float16 (65504) where their logarithms do not
FLOAT_OPS = ("Exp", "Log", "LogSoftmax", "ReduceLogSumExp")
# Activations are rounded in blocks of 32, each with its own scale, and multiplied as integers: a product is
# the same in every batch. In blocks of 128 its last bit is not, which the next rounding may turn into a step.
BLOCK = 32
INTEGERS = 4  # the accuracy level that multiplies integers
LEVELS = 127  # of 8-bit numbers, on either side of 0
MANY_WEIGHTS = 3_000_000  # in a convolution: those of a UNet's inner levels
FEW_WEIGHTS = 1 << 14  # matrices below this stay in float32: they are small and often near the output


def write_variants(
    folder: Path,
    name: str,
    graphs: dict[str, Path],
    windows: Sequence[int],
    smaller: Iterable[str],
    per_prompt: Sequence[str] = (),
    float32: Sequence[str] = (),
) -> dict:
    """Writes FOLDER/NAME.STEP.VARIANT.onnx; returns the manifest's `variants`.

    Those of another count of windows have the files of FULL; no two files hold the same.
    smaller: fp16, int8 or both. per_prompt: graphs that are run once a prompt. They keep their 32 bits where
    8 would gain next to no time, and would do as much to a score as all others. float32: operators that keep
    them in 16 bits.
    """
    full = {
        step: _unique(beside.copy(path, folder / f"{name}.{step}.{FULL}.onnx"))
        for step, path in graphs.items()
    }
    variants: dict[str, dict] = {FULL: {"graphs": full}}
    for count in windows[1:]:
        variants[f"{FULL}-{count}"] = {"graphs": full, "windows": count}
    for variant in smaller:
        made = {step: folder / f"{name}.{step}.{variant}.onnx" for step in graphs}
        for step, path in graphs.items():
            if variant == "fp16":
                half(path, made[step], float32)
            elif step in per_prompt:
                beside.copy(path, made[step])
            else:
                eight_bits(path, made[step])
        variants[variant] = {"graphs": {step: _unique(path) for step, path in made.items()}}
    return variants


def _unique(path: Path) -> str:
    """Name of the file, or of one beside it that holds the same; then this one is removed."""
    for other in sorted(path.parent.glob("*.onnx")):
        if other != path and other.stat().st_size == path.stat().st_size and digest(other) == digest(path):
            path.unlink()
            return other.name
    return path.name


def half(source: Path, target: Path, float32: Sequence[str] = ()) -> None:
    """Writes `target`: the same graph in float16, but for sums of exponentials and operators of `float32`."""
    from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16

    model = folded(beside.load(source))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # weights below 6e-8 become 0, masks of -1e9 become -65504
        kept = [*DEFAULT_OP_BLOCK_LIST, *FLOAT_OPS, *float32]
        halved = convert_float_to_float16(
            model, keep_io_types=True, op_block_list=kept, disable_shape_infer=beside.is_beside(source)
        )
    beside.save(halved, target)


def eight_bits(source: Path, target: Path) -> None:
    """Writes `target`: matrices of weights in 8 bits with a scale for every 32, all else in float32."""
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    logging.getLogger(MatMulNBitsQuantizer.__module__).setLevel(logging.WARNING)  # else a line a matrix
    model = folded(beside.load(source))
    quantiser = MatMulNBitsQuantizer(
        model,
        bits=8,
        block_size=BLOCK,
        is_symmetric=True,
        accuracy_level=INTEGERS,
        nodes_to_exclude=_small(model.graph),
    )
    quantiser.process()
    made = quantiser.model.model
    store_convolutions(made.graph)
    beside.save(made, target)


def store_convolutions(graph: GraphProto) -> None:
    """Weights of large convolutions as 8-bit numbers with a scale for each output; products stay in float32.

    What a run multiplies with is made anew for each run: memory is saved, not time.
    """
    stored = {tensor.name: tensor for tensor in graph.initializer}
    nodes: list[NodeProto] = []
    for node in graph.node:
        name = node.input[1] if node.op_type == "Conv" else ""
        if name in stored and int(np.prod(stored[name].dims)) >= MANY_WEIGHTS:
            nodes.append(_quantised(graph, stored.pop(name)))
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)


def _quantised(graph: GraphProto, tensor: TensorProto) -> NodeProto:
    """Puts codes and scales in the place of weights [outputs, …]; returns what makes them of these."""
    weights = numpy_helper.to_array(tensor)
    scales = np.maximum(np.abs(weights).max(tuple(range(1, weights.ndim))) / LEVELS, 1e-12).astype(np.float32)
    codes = np.rint(weights / scales.reshape(-1, *[1] * (weights.ndim - 1))).astype(np.int8)
    name = tensor.name
    graph.initializer.remove(tensor)
    graph.initializer.extend(
        [numpy_helper.from_array(codes, f"{name}_codes"), numpy_helper.from_array(scales, f"{name}_scales")]
    )
    return helper.make_node(
        "DequantizeLinear", [f"{name}_codes", f"{name}_scales"], [name], f"{name}_Dequantize", axis=0
    )


def _small(graph: GraphProto) -> list[str]:
    """Names of the products with few weights."""
    sizes = {tensor.name: int(np.prod(tensor.dims)) for tensor in graph.initializer}
    return [
        node.name
        for node in graph.node
        if node.op_type == "MatMul" and sizes.get(node.input[1], FEW_WEIGHTS) < FEW_WEIGHTS
    ]
