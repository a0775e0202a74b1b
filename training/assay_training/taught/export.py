"""Writes the net as ONNX: uint8 [N, 320, 320, 3] and token ids in; quality, alignment and distance out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import compose, helper

from assay_training.graph import Graph
from assay_training.lite.export import (
    activated,
    centred_image,
    named_convolutions,
    pooled_statistics,
    residual_block,
)
from assay_training.quantise import quantise
from assay_training.taught.heads import FLOOR, Heads
from assay_training.taught.kernel import Kernel
from assay_training.taught.model import POOLED, SIDE, STATS, Backbone
from assay_training.taught.words import CONTEXT, Words

FLOAT_BLOCKS = 2  # the first layers stay float: few channels, large maps, and most of what quantising costs


def export_backbone(net: Backbone, path: Path) -> None:
    """Image to pooled statistics in fp32; normalisation and layout are part of the graph."""
    graph = Graph("assay-taught")
    x, size = activated(graph, centred_image(graph), net.stem, "stem", SIDE)
    stats = []
    for index, block in enumerate(net.blocks):
        x, size = residual_block(graph, x, block, f"block{index}", size)
        if index in POOLED:
            stats += pooled_statistics(graph, x, f"block{index}")
    x, _ = activated(graph, x, net.head, "head", size)
    stats += pooled_statistics(graph, x, "head")
    joined = graph.node("Concat", *stats, axis=1)
    graph.node("Flatten", joined, name="statistics")
    inputs = {"image": (np.uint8, ["n", SIDE, SIDE, 3])}
    graph.save(path, inputs, {"statistics": (np.float32, ["n", STATS])})


def quantise_backbone(source: Path, target: Path, net: Backbone, images: list[np.ndarray]) -> None:
    """int8 for all but the first layers, calibrated on uint8 images [1, 320, 320, 3]."""
    names = [name for name, _ in named_convolutions(net)]
    keep = [name for name in names if name == "stem" or name.split(".")[0] in _first_blocks()]
    dense = [f"{name}.weight" for name in names if name not in keep and not name.endswith("depthwise")]
    quantise(source, target, "image", images, keep, dense)


def attach_heads(backbone: Path, target: Path, heads: Heads, words: Words) -> None:
    """The whole scorer: the backbone's graph, and the heads on its statistics."""
    graph = Graph("heads")
    response, distance = _kernel(graph, heads.projection.matrix, heads.projection.offset, heads.kernel)
    _mean_and_spread(graph, response, heads.quality_weight, heads.quality_offset, "quality")
    _alignment(graph, response, heads, words)
    graph.node("Identity", distance, name="distance")
    path = target.with_suffix(".heads.onnx")
    inputs = {"statistics": (np.float32, ["n", STATS]), "ids": (np.int64, ["n", CONTEXT])}
    outputs = {name: (np.float32, ["n", 2]) for name in ("quality", "alignment")}
    graph.save(path, inputs, outputs | {"distance": (np.float32, ["n", 1])})
    first, second = onnx.load(backbone), onnx.load(path)
    path.unlink()
    second = compose.add_prefix(second, "heads_", rename_inputs=False, rename_outputs=False)
    second.opset_import[0].version = first.opset_import[0].version
    second.ir_version = first.ir_version
    merged = compose.merge_models(first, second, [("statistics", "statistics")])
    onnx.save(merged, target)


def _first_blocks() -> list[str]:
    return [f"block{index}" for index in range(FLOAT_BLOCKS)]


def _stored(graph: Graph, value: np.ndarray, name: str) -> str:
    """A constant kept as float16 and widened when the graph is loaded."""
    half = graph.constant(value.astype(np.float16), f"{name}.half")
    return graph.node("Cast", half, to=onnx.TensorProto.FLOAT, name=name)


def _float(graph: Graph, value: np.ndarray | float) -> str:
    return graph.constant(np.asarray(value, np.float32))


def _kernel(graph: Graph, matrix: np.ndarray, offset: np.ndarray, kernel: Kernel) -> tuple[str, str]:
    """Statistics to kernel values [n, M], and squared distance to the nearest landmark [n, 1].

    |a - b|^2 is taken apart into |a|^2 + |b|^2 - 2ab. Matrices are kept in float16; fit_heads rounds to it.
    """
    components = graph.node(
        "Add", graph.node("MatMul", "statistics", _stored(graph, matrix, "projection")), _float(graph, offset)
    )
    squares = graph.node("ReduceSum", graph.node("Mul", components, components), _axis(graph), keepdims=1)
    products = graph.node("MatMul", components, _stored(graph, kernel.landmarks.T, "landmarks"))
    own = (kernel.landmarks.astype(np.float32) ** 2).sum(1)[None]
    distances = graph.node(
        "Sub",
        graph.node("Add", squares, _float(graph, own)),
        graph.node("Mul", products, _float(graph, 2.0)),
    )
    positive = graph.node("Max", distances, _float(graph, 0.0))
    response = graph.node("Exp", graph.node("Mul", positive, _float(graph, -kernel.gamma)))
    return response, graph.node("ReduceMin", positive, axes=[1], keepdims=1)


def _axis(graph: Graph) -> str:
    return graph.constant(np.array([1], np.int64), f"axis{len(graph.constants)}")


def _mean_and_spread(graph: Graph, response: str, weight: np.ndarray, offset: np.ndarray, name: str) -> None:
    raw = graph.node("Add", graph.node("MatMul", response, _float(graph, weight)), _float(graph, offset))
    mean, spread = _halves(graph, raw)
    graph.node("Concat", mean, _spread(graph, spread), axis=1, name=name)


def _halves(graph: Graph, raw: str) -> tuple[str, str]:
    sizes = graph.constant(np.array([1, 1], np.int64), f"sizes{len(graph.constants)}")
    outputs = [f"half_{len(graph.nodes)}_{i}" for i in (0, 1)]
    graph.nodes.append(helper.make_node("Split", [raw, sizes], outputs, name=outputs[0], axis=1))
    return outputs[0], outputs[1]


def _spread(graph: Graph, logarithm: str) -> str:
    return graph.node("Max", graph.node("Exp", logarithm), _float(graph, FLOOR))


def _alignment(graph: Graph, response: str, heads: Heads, words: Words) -> None:
    """See Heads.alignment; the prompt's vector is the scaled sum of its pieces' rows of an int8 table."""
    codes = np.round(words.table * 127).astype(np.int8)
    rows = graph.node("Gather", graph.constant(codes, "words"), "ids")
    total = graph.node(
        "ReduceSum", graph.node("Cast", rows, to=onnx.TensorProto.FLOAT), _axis(graph), keepdims=0
    )
    looks = graph.node("MatMul", response, _stored(graph, heads.text_weight, "text"))
    prompt = _unit(graph, total)
    known = graph.node("ReduceMax", graph.node("Abs", graph.node("Sign", prompt)), axes=[1], keepdims=1)
    wanted = graph.node("Mul", _unit(graph, graph.node("Sub", prompt, _float(graph, heads.usual))), known)
    product = graph.node("ReduceSum", graph.node("Mul", looks, wanted), _axis(graph), keepdims=1)
    cosine = graph.node("Div", product, _length(graph, looks))
    raw = graph.node(
        "Add",
        graph.node("MatMul", response, _float(graph, heads.alignment_weight)),
        _float(graph, heads.alignment_offset),
    )
    image, spread = _halves(graph, raw)
    columns = graph.node("Concat", image, cosine, product, axis=1)
    mean = graph.node(
        "Add", graph.node("MatMul", columns, _float(graph, heads.mix[1:, None])), _float(graph, heads.mix[:1])
    )
    graph.node("Concat", mean, _spread(graph, spread), axis=1, name="alignment")


def _unit(graph: Graph, x: str) -> str:
    return graph.node("Div", x, _length(graph, x))


def _length(graph: Graph, x: str) -> str:
    squares = graph.node("ReduceSum", graph.node("Mul", x, x), _axis(graph), keepdims=1)
    return graph.node("Max", graph.node("Sqrt", squares), _float(graph, 1e-6))
