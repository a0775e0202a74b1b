"""Writes the tower as ONNX: an image to its statistics and its embedding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx

from assay_training.base.blocks import Product
from assay_training.base.clip import EMBEDDING, Embedder
from assay_training.base.nodes import FLOAT_ACTIVATIONS, INT8_ACTIVATIONS, Rows, nbits_product
from assay_training.graph import Graph
from assay_training.tower.clip import GELU, MATRICES, Block, Tower
from assay_training.tower.compress import Compressed
from assay_training.tower.export import array, float_constant, layer_norm, pooled, sizes, stored, unit_of

TILE = 8  # rows that CPUs multiply together: with a multiple of them an image's rows never share a tile
# blocks whose activations stay float: their errors go through all that follow
FLOAT_BLOCKS = 2
HIDDEN = -1e4  # added to what must not be attended to; in the reach of float16


def export_tower(
    compressed: Compressed, embedder: Embedder, path: Path, accuracy: int | None = INT8_ACTIVATIONS
) -> None:
    """Image to pooled statistics [n, stats] and embedding [n, EMBEDDING] of length 1."""
    graph = Graph("assay-base")
    tower, stats = compressed.tower, []
    shape = tower.shape
    x = _embed(graph, tower)
    for index, block in enumerate(tower.blocks):
        products = [compressed.products[f"{index}.{name}"] for name in MATRICES]
        own = FLOAT_ACTIVATIONS if accuracy and index < FLOAT_BLOCKS else accuracy
        x = _block(graph, x, block, products, shape.tokens, own)
        if index in shape.taps:
            kept = sizes(graph, 0), sizes(graph, shape.tokens), sizes(graph, 1)
            stats += pooled(graph, graph.node("Slice", x, *kept), shape.tokens)
    graph.node("Concat", *stats, axis=1, name="statistics")
    normed = layer_norm(graph, stats[-3], embedder.gain, embedder.shift)
    projected = graph.node("MatMul", normed, stored(graph, embedder.projection, "embedder"))
    graph.node("Identity", unit_of(graph, projected), name="embedding")
    inputs = {"image": (np.uint8, ["n", shape.side, shape.side, 3])}
    outputs = {"statistics": (np.float32, ["n", shape.stats]), "embedding": (np.float32, ["n", EMBEDDING])}
    graph.save(path, inputs, outputs)


def _embed(graph: Graph, tower: Tower) -> str:
    """Pixels to tokens; the class token comes from a zero in front, to which its position is added.

    At the end stand tokens that no other one sees, up to a multiple of TILE: no score depends on batches.
    """
    shape = tower.shape
    spare = -shape.tokens % TILE
    pixels = graph.node(
        "Transpose", graph.node("Cast", "image", to=onnx.TensorProto.FLOAT), perm=[0, 3, 1, 2]
    )
    kernel = stored(graph, array(tower.patch.weight) * 255, "patch")  # in the reach of float16
    unit = graph.node("Mul", pixels, float_constant(graph, 1 / 255))
    strides = [shape.patch, shape.patch]
    patches = graph.node(
        "Conv", unit, kernel, float_constant(graph, array(tower.patch.bias)), strides=strides
    )
    flat = graph.node("Reshape", patches, sizes(graph, 0, shape.width, shape.grid**2))
    padded = graph.node(
        "Pad", graph.node("Transpose", flat, perm=[0, 2, 1]), sizes(graph, 0, 1, 0, 0, spare, 0)
    )
    position = array(tower.position).copy()
    position[0] += array(tower.first)
    position = np.pad(position, ((0, spare), (0, 0)))
    placed = graph.node("Add", padded, stored(graph, position, "position"))
    return layer_norm(graph, placed, array(tower.norm.weight), array(tower.norm.bias))


def _block(
    graph: Graph, x: str, block: Block, products: list[Product], tokens: int, accuracy: int | None
) -> str:
    qkv, out, fc1, fc2 = products
    rows = Rows(tokens + -tokens % TILE, tokens)

    def product(y: str, one: Product) -> str:
        return nbits_product(graph, y, one.blocked, one.bias, f"product_{len(graph.nodes)}", accuracy, rows)

    width = block.out.in_features
    normed = layer_norm(graph, x, array(block.ln1.weight), array(block.ln1.bias))
    seen = _attend(graph, product(normed, qkv), block.heads, width, tokens)
    x = graph.node("Add", x, product(seen, out))
    normed = layer_norm(graph, x, array(block.ln2.weight), array(block.ln2.bias))
    y = product(normed, fc1)
    gate = graph.node("Sigmoid", graph.node("Mul", y, float_constant(graph, GELU)))
    return graph.node("Add", x, product(graph.node("Mul", y, gate), fc2))


def _attend(graph: Graph, mixed: str, heads: int, width: int, tokens: int) -> str:
    """Queries, keys and values [n, T, 3 W] to what each token sees, [n, T, W]."""
    size = width // heads
    all_tokens = tokens + -tokens % TILE
    split = graph.node("Reshape", mixed, sizes(graph, 0, all_tokens, 3, heads, size))
    parts = graph.nodes_of("Split", split, sizes(graph, 1, 1, 1), count=3, axis=2)
    q, k, v = (graph.node("Squeeze", part, sizes(graph, 2)) for part in parts)
    q = graph.node("Mul", q, float_constant(graph, size**-0.5))
    q, v = (graph.node("Transpose", part, perm=[0, 2, 1, 3]) for part in (q, v))
    scores = graph.node("MatMul", q, graph.node("Transpose", k, perm=[0, 2, 3, 1]))
    hidden = np.where(np.arange(all_tokens) < tokens, 0, HIDDEN).astype(np.float32)
    scores = graph.node("Add", scores, float_constant(graph, hidden))
    seen = graph.node("MatMul", graph.node("Softmax", scores, axis=-1), v)
    return graph.node(
        "Reshape", graph.node("Transpose", seen, perm=[0, 2, 1, 3]), sizes(graph, 0, all_tokens, width)
    )
