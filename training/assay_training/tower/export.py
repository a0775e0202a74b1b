"""Writes the scorer as ONNX: pixels and token ids in; quality, alignment and foreignness out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import compose
from torch import nn

from assay_training.graph import Graph
from assay_training.tower.clip import EPSILON, GELU, MATRICES, SHAPE, Block, Tower
from assay_training.tower.codebook import Coded
from assay_training.tower.compress import Compressed, Product
from assay_training.tower.heads import FLOOR, Heads
from assay_training.tower.kernel import Kernel, Projection
from assay_training.tower.rounding import ZERO, Rounded
from assay_training.tower.words import CONTEXT, Words

MIDDLE, STEPS = 128, 127  # activations are uint8: MIDDLE is 0, MIDDLE + STEPS is the reach of the channel


def export_tower(compressed: Compressed, path: Path) -> None:
    """Image to pooled statistics. Codes become int8 matrices when the graph is loaded."""
    graph = Graph("assay-lite")
    tower, stats = compressed.tower, []
    shape = tower.shape
    x = _embed(graph, tower)
    for index, block in enumerate(tower.blocks):
        qkv, out, fc1, fc2 = (compressed.products[f"{index}.{name}"] for name in MATRICES)
        x = graph.node("Add", x, _attention(graph, x, block, qkv, out, shape.tokens))
        x = graph.node("Add", x, _perceptron(graph, x, block.ln2, fc1, fc2))
        if index in shape.taps:
            stats += pooled(graph, x, shape.tokens)
    graph.node("Concat", *stats, axis=1, name="statistics")
    inputs = {"image": (np.uint8, ["n", shape.side, shape.side, 3])}
    graph.save(path, inputs, {"statistics": (np.float32, ["n", shape.stats])})


def _embed(graph: Graph, tower: Tower) -> str:
    """Pixels to tokens; the class token comes from a zero in front, to which its position is added."""
    shape = tower.shape
    pixels = graph.node(
        "Transpose", graph.node("Cast", "image", to=onnx.TensorProto.FLOAT), perm=[0, 3, 1, 2]
    )
    weight, bias = array(tower.patch.weight), array(tower.patch.bias)
    scale = np.abs(weight).max((1, 2, 3), keepdims=True) / STEPS
    codes = graph.constant(np.round(weight / scale).astype(np.int8), "patch.codes")
    kernel = graph.node(
        "Mul", graph.node("Cast", codes, to=onnx.TensorProto.FLOAT), float_constant(graph, scale)
    )
    patches = graph.node(
        "Conv", pixels, kernel, float_constant(graph, bias), strides=[shape.patch, shape.patch]
    )
    flat = graph.node("Reshape", patches, sizes(graph, 0, shape.width, shape.grid**2))
    padded = graph.node("Pad", graph.node("Transpose", flat, perm=[0, 2, 1]), sizes(graph, 0, 1, 0, 0, 0, 0))
    position = array(tower.position).copy()
    position[0] += array(tower.first)
    placed = graph.node("Add", padded, stored(graph, position, "position"))
    return layer_norm(graph, placed, array(tower.norm.weight), array(tower.norm.bias))


def _attention(graph: Graph, x: str, block: Block, qkv: Product, out: Product, tokens: int) -> str:
    """Values leave the first product already divided by what the second one wants them divided by."""
    width, size = block.out.in_features, block.out.in_features // block.heads
    factor = np.ones(3 * width, np.float32)
    factor[:width] = 1 / np.sqrt(size)  # the usual division of the scores
    factor[2 * width :] = 1 / out.reach
    mixed = _product(graph, _reached(graph, x, block.ln1, qkv), qkv, factor)
    split = graph.node("Reshape", mixed, sizes(graph, 0, tokens, 3, block.heads, size))
    parts = graph.nodes_of("Split", split, sizes(graph, 1, 1, 1), count=3, axis=2)
    q, k, v = (graph.node("Squeeze", part, sizes(graph, 2)) for part in parts)
    q, v = (graph.node("Transpose", part, perm=[0, 2, 1, 3]) for part in (q, v))
    scores = graph.node("MatMul", q, graph.node("Transpose", k, perm=[0, 2, 3, 1]))
    seen = graph.node("MatMul", graph.node("Softmax", scores, axis=-1), v)
    flat = graph.node(
        "Reshape", graph.node("Transpose", seen, perm=[0, 2, 1, 3]), sizes(graph, 0, tokens, width)
    )
    return _product(graph, flat, out)


def _perceptron(graph: Graph, x: str, norm: nn.LayerNorm, first: Product, second: Product) -> str:
    y = _product(graph, _reached(graph, x, norm, first), first)
    gate = graph.node("Sigmoid", graph.node("Mul", y, float_constant(graph, GELU)))
    gated = graph.node("Mul", y, gate)
    return _product(graph, graph.node("Mul", gated, float_constant(graph, 1 / second.reach)), second)


def _reached(graph: Graph, x: str, norm: nn.LayerNorm, product: Product) -> str:
    """Layer norm with the division by `reach` inside."""
    return layer_norm(graph, x, array(norm.weight) / product.reach, array(norm.bias) / product.reach)


def layer_norm(graph: Graph, x: str, weight: np.ndarray, bias: np.ndarray) -> str:
    gain, shift = float_constant(graph, weight), float_constant(graph, bias)
    return graph.node("LayerNormalization", x, gain, shift, axis=-1, epsilon=EPSILON)


def _product(graph: Graph, x: str, product: Product, factor: np.ndarray | float = 1.0) -> str:
    """x [n, T, C] in -1..1 times the matrix: quantised to uint8, multiplied with int8, widened again.

    What comes out is multiplied by `factor`, at no cost.
    """
    step, middle = float_constant(graph, 1 / STEPS), graph.constant(np.array(MIDDLE, np.uint8))
    left = graph.node("DequantizeLinear", graph.node("QuantizeLinear", x, step, middle), step, middle)
    name = f"product_{len(graph.nodes)}"
    right = _matrix(graph, product.coded, product.coded.scale * factor, name)
    return graph.node(
        "Add", graph.node("MatMul", left, right), stored(graph, product.bias * factor, f"{name}.bias")
    )


def _matrix(graph: Graph, coded: Coded, scale: np.ndarray, name: str) -> str:
    """[C, R]: codes are looked up and folded into one int8 constant when the graph is loaded.

    GatherElements looks up single numbers; Gather, which could fetch whole vectors, takes longer for one of
    them than this for four.
    """
    codes = graph.constant(coded.codes.T.flatten(), f"{name}.codes")
    codes = graph.node("Cast", codes, to=onnx.TensorProto.INT32)
    books = [graph.constant(member, f"{name}.book.{index}") for index, member in enumerate(coded.book.T)]
    members = [graph.node("GatherElements", book, codes) for book in books]
    laid = [graph.node("Reshape", member, sizes(graph, -1, 1, len(scale))) for member in members]
    integers = graph.node("Reshape", graph.node("Concat", *laid, axis=1), sizes(graph, -1, len(scale)))
    zeros = _zeros(graph, len(scale))
    return graph.node("DequantizeLinear", integers, stored(graph, scale, f"{name}.scale"), zeros, axis=1)


def _zeros(graph: Graph, count: int) -> str:
    """int8 [count], stored once for each count."""
    name = f"zeros_{count}"
    known = any(constant.name == name for constant in graph.constants)
    return name if known else graph.constant(np.zeros(count, np.int8), name)


def pooled(graph: Graph, x: str, tokens: int) -> list[str]:
    """Class token, mean and deviation of the patch tokens: each [n, width]."""
    first, patches = graph.nodes_of("Split", x, sizes(graph, 1, tokens - 1), count=2, axis=1)
    mean = graph.node("ReduceMean", patches, axes=[1], keepdims=1)
    off = graph.node("Sub", patches, mean)
    variance = graph.node("ReduceMean", graph.node("Mul", off, off), axes=[1], keepdims=1)
    return [
        graph.node("Squeeze", part, sizes(graph, 1)) for part in (first, mean, graph.node("Sqrt", variance))
    ]


def array(value) -> np.ndarray:
    return value.detach().numpy()


def sizes(graph: Graph, *values: int) -> str:
    return graph.constant(np.array(values, np.int64), f"sizes_{len(graph.constants)}")


def attach_heads(backbone: Path, target: Path, heads: Heads, words: Words) -> None:
    """The whole scorer: the backbone's graph, and the heads on its statistics."""
    graph = Graph("heads")
    response, foreignness = kernel_response(graph, heads.projection, heads.kernel)
    quality = _mean_and_spread(graph, response, heads.quality_weight, heads.quality_offset, "quality")
    _alignment(graph, response, quality, heads, words)
    graph.node("Identity", foreignness, name="foreignness")
    path = target.with_suffix(".heads.onnx")
    inputs = {"statistics": (np.float32, ["n", SHAPE.stats]), "ids": (np.int64, ["n", CONTEXT])}
    outputs = {name: (np.float32, ["n", 2]) for name in ("quality", "alignment")}
    graph.save(path, inputs, outputs | {"foreignness": (np.float32, ["n", 1])})
    first, second = onnx.load(backbone), onnx.load(path)
    path.unlink()
    second = compose.add_prefix(second, "heads_", rename_inputs=False, rename_outputs=False)
    second.opset_import[0].version = first.opset_import[0].version
    second.ir_version = first.ir_version
    merged = compose.merge_models(first, second, [("statistics", "statistics")])
    onnx.save(merged, target)


def stored(graph: Graph, value: np.ndarray, name: str) -> str:
    """A constant kept as float16 and widened when the graph is loaded."""
    half = graph.constant(value.astype(np.float16), f"{name}.half")
    return graph.node("Cast", half, to=onnx.TensorProto.FLOAT, name=name)


def float_constant(graph: Graph, value: np.ndarray | float) -> str:
    return graph.constant(np.asarray(value, np.float32))


def kernel_response(
    graph: Graph, projection: Projection, kernel: Kernel, statistics: str = "statistics"
) -> tuple[str, str]:
    """Statistics to kernel values [n, M], and how foreign they are, [n, 1]: see Heads.foreignness.

    |a - b|^2 is taken apart into |a|^2 + |b|^2 - 2ab.
    """
    standard = graph.node(
        "Div",
        graph.node("Sub", statistics, float_constant(graph, projection.centre)),
        float_constant(graph, projection.scale),
    )
    components = graph.node("MatMul", standard, rounded_constant(graph, projection.axes, "projection"))
    squares = graph.node("ReduceSum", graph.node("Mul", components, components), sizes(graph, 1), keepdims=1)
    products = graph.node(
        "MatMul",
        components,
        graph.node("Transpose", rounded_constant(graph, kernel.landmarks, "landmarks"), perm=[1, 0]),
    )
    own = (kernel.landmarks.value**2).sum(1)[None]
    distances = graph.node(
        "Sub",
        graph.node("Add", squares, float_constant(graph, own)),
        graph.node("Mul", products, float_constant(graph, 2.0)),
    )
    positive = graph.node("Max", distances, float_constant(graph, 0.0))
    response = graph.node("Exp", graph.node("Mul", positive, float_constant(graph, -kernel.gamma)))
    lengths = graph.node("Mul", standard, standard)
    return response, graph.node("ReduceMean", lengths, axes=[1], keepdims=1)


def _mean_and_spread(graph: Graph, response: str, weight: np.ndarray, offset: np.ndarray, name: str) -> str:
    """The output `name` [n, 2]; returns the mean alone, [n, 1]."""
    raw = graph.node(
        "Add", graph.node("MatMul", response, float_constant(graph, weight)), float_constant(graph, offset)
    )
    mean, spread = halves(graph, raw)
    graph.node("Concat", mean, _spread(graph, spread), axis=1, name=name)
    return mean


def halves(graph: Graph, raw: str) -> tuple[str, str]:
    return tuple(graph.nodes_of("Split", raw, sizes(graph, 1, 1), count=2, axis=1))


def _spread(graph: Graph, logarithm: str) -> str:
    return graph.node("Max", graph.node("Exp", logarithm), float_constant(graph, FLOOR))


def _alignment(graph: Graph, response: str, quality: str, heads: Heads, words: Words) -> None:
    """See Heads.alignment; the prompt's vector is the scaled sum of its pieces' rows of the table."""
    total = graph.node("ReduceSum", pieces(graph, words.table), sizes(graph, 1), keepdims=0)
    looks = graph.node("MatMul", response, rounded_constant(graph, heads.text_weight, "text"))
    prompt = unit_of(graph, total)
    known = graph.node("ReduceMax", graph.node("Abs", graph.node("Sign", prompt)), axes=[1], keepdims=1)
    wanted = graph.node(
        "Mul", unit_of(graph, graph.node("Sub", prompt, float_constant(graph, heads.usual))), known
    )
    product = graph.node("ReduceSum", graph.node("Mul", looks, wanted), sizes(graph, 1), keepdims=1)
    cosine = graph.node("Div", product, length_of(graph, looks))
    raw = graph.node(
        "Add",
        graph.node("MatMul", response, float_constant(graph, heads.alignment_weight)),
        float_constant(graph, heads.alignment_offset),
    )
    image, spread = halves(graph, raw)
    columns = graph.node("Concat", image, quality, cosine, axis=1)
    mean = graph.node(
        "Add",
        graph.node("MatMul", columns, float_constant(graph, heads.mix[1:, None])),
        float_constant(graph, heads.mix[:1]),
    )
    graph.node("Concat", mean, _spread(graph, spread), axis=1, name="alignment")


def pieces(graph: Graph, table: Rounded) -> str:
    """Token ids to the rows of the table, [n, CONTEXT, SIZE]."""
    rows = graph.node("Gather", graph.constant(table.packed(), "words"), "ids")
    return graph.node("Mul", unpacked(graph, rows, axis=2), float_constant(graph, table.step))


def rounded_constant(graph: Graph, matrix: Rounded, name: str) -> str:
    """A constant kept in few bits and widened when the graph is loaded."""
    if matrix.bits == 4:
        integers = unpacked(graph, graph.constant(matrix.packed(), name), axis=1)
    else:
        integers = graph.node("Cast", graph.constant(matrix.integers, name), to=onnx.TensorProto.FLOAT)
    return graph.node("Mul", integers, float_constant(graph, matrix.step))


def unpacked(graph: Graph, packed: str, axis: int) -> str:
    """Bytes of two integers each to floats, see Rounded.packed."""
    both = graph.node("Cast", packed, to=onnx.TensorProto.FLOAT)
    high = graph.node("Floor", graph.node("Mul", both, float_constant(graph, 1 / 16)))
    low = graph.node("Sub", both, graph.node("Mul", high, float_constant(graph, 16.0)))
    return graph.node("Sub", graph.node("Concat", low, high, axis=axis), float_constant(graph, float(ZERO)))


def unit_of(graph: Graph, x: str) -> str:
    return graph.node("Div", x, length_of(graph, x))


def length_of(graph: Graph, x: str) -> str:
    squares = graph.node("ReduceSum", graph.node("Mul", x, x), sizes(graph, 1), keepdims=1)
    return graph.node("Max", graph.node("Sqrt", squares), float_constant(graph, 1e-6))
