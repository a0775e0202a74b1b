"""Writes the scorer's two graphs: a prompt to what its images look like; an image and that to scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import compose

from assay_training.base.clip import EMBEDDING
from assay_training.base.compress import SHAPE
from assay_training.base.encoder import CONTEXT, Encoder, encode_texts
from assay_training.base.guard import Guard
from assay_training.base.heads import LEVELS, Heads, Words
from assay_training.graph import Graph
from assay_training.tower.export import (
    float_constant,
    halves,
    kernel_response,
    length_of,
    rounded_constant,
    sizes,
    unit_of,
)
from assay_training.tower.heads import FLOOR

HEADS = "heads_"  # what names of the heads begin with where the tower is below them
INPUTS = {"statistics": SHAPE.stats, "embedding": EMBEDDING, "wanted": EMBEDDING}
OUTPUTS = {"quality": 2, "alignment": 2, "foreignness": 1}


def write_words(path: Path, encoder: Encoder, words: Words) -> None:
    """ids and mask [n, 1, CONTEXT] to `wanted` [n, EMBEDDING], see Words."""
    graph = Graph("words")
    ids, mask = (graph.node("Reshape", name, sizes(graph, -1, CONTEXT)) for name in ("ids", "mask"))
    meaning = unit_of(graph, encode_texts(graph, encoder, ids, mask))
    distances = _squared(graph, meaning, float_constant(graph, words.known), words.known)
    response = graph.node("Exp", graph.node("Mul", distances, float_constant(graph, -words.gamma)))
    looks = graph.node("MatMul", response, rounded_constant(graph, words.weight, "looks"))
    graph.node("Identity", unit_of(graph, looks), name="wanted")
    shape = (np.int64, ["n", 1, CONTEXT])
    graph.save(path, {"ids": shape, "mask": shape}, {"wanted": (np.float32, ["n", EMBEDDING])})


def _squared(graph: Graph, x: str, rows: str, values: np.ndarray) -> str:
    """[n, M] squared distances of x [n, D] to constant rows [M, D]."""
    own = graph.node("ReduceSum", graph.node("Mul", x, x), sizes(graph, 1), keepdims=1)
    theirs = float_constant(graph, (values * values).sum(1)[None])
    products = graph.node("MatMul", x, graph.node("Transpose", rows, perm=[1, 0]))
    both = graph.node(
        "Sub", graph.node("Add", own, theirs), graph.node("Mul", products, float_constant(graph, 2.0))
    )
    return graph.node("Max", both, float_constant(graph, 0.0))


def attach_heads(tower: Path, target: Path, heads: Heads, guard: Guard) -> None:
    """The tower's graph with the heads on what it gives."""
    graph = Graph("heads")
    seen = graph.node("Concat", "statistics", "embedding", axis=1)
    response, square = kernel_response(graph, heads.projection, heads.kernel, seen)
    opinions = _affine(graph, "embedding", heads.opinion, heads.opinion_offset)
    begun = _affine(graph, opinions, heads.start[1:], heads.start[0])
    both = graph.node("Add", begun, graph.node("MatMul", response, float_constant(graph, heads.weight)))
    quality, image = halves(graph, both)
    spreads = halves(graph, _spreads(graph, heads, quality, response))
    graph.node("Concat", quality, spreads[0], axis=1, name="quality")
    agreement = _agreement(graph, heads)
    lacking = graph.node("Sub", float_constant(graph, [[heads.turn]]), agreement)
    lacking = graph.node("Max", lacking, float_constant(graph, 0.0))
    columns = graph.node("Concat", image, quality, agreement, lacking, axis=1)
    mean = _affine(graph, columns, heads.mix[1:, None], heads.mix[:1])
    graph.node("Concat", mean, spreads[1], axis=1, name="alignment")
    kinds = _affine(graph, "embedding", guard.directions, guard.offset)
    largest = graph.node("ReduceMax", kinds, axes=[1], keepdims=1)
    graph.node(
        "Max", largest, graph.node("Mul", square, float_constant(graph, 1 / guard.square)), name="foreignness"
    )
    ends = ({name: (np.float32, ["n", size]) for name, size in known.items()} for known in (INPUTS, OUTPUTS))
    heads_alone = compose.add_prefix(graph.model(*ends), HEADS, rename_inputs=False, rename_outputs=False)
    save_heads(tower, heads_alone, target)


def save_heads(tower: Path, heads: onnx.ModelProto, target: Path) -> None:
    """The tower's graph and that of the heads as one."""
    names = ("statistics", "embedding")
    onnx.save(compose.merge_models(onnx.load(tower), heads, [(name, name) for name in names]), target)


def _affine(graph: Graph, x: str, weight: np.ndarray, offset: np.ndarray) -> str:
    return graph.node(
        "Add", graph.node("MatMul", x, float_constant(graph, weight)), float_constant(graph, offset)
    )


def _spreads(graph: Graph, heads: Heads, level: str, response: str) -> str:
    """See Heads.spreads, [n, 2]."""
    powers = [level]
    while len(powers) < LEVELS - 1:
        powers.append(graph.node("Mul", powers[-1], level))
    columns = graph.node("Concat", *powers, response, axis=1)
    logarithm = _affine(graph, columns, heads.spread[1:], heads.spread[0])
    return graph.node("Max", graph.node("Exp", logarithm), float_constant(graph, FLOOR))


def _agreement(graph: Graph, heads: Heads) -> str:
    off = graph.node("Sub", "embedding", float_constant(graph, heads.words.usual))
    product = graph.node("ReduceSum", graph.node("Mul", off, "wanted"), sizes(graph, 1), keepdims=1)
    return graph.node("Div", product, length_of(graph, off))
