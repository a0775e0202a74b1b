"""Tiny stand-ins for net, teacher and sentence encoder, so that no test needs the real ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import TensorProto
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing

from assay_training.golden import golden_images
from assay_training.graph import Graph
from assay_training.scorer import open_session
from assay_training.taught import teacher as teaching
from assay_training.taught.export import attach_heads, export_backbone, quantise_backbone
from assay_training.taught.heads import Heads
from assay_training.taught.kernel import Kernel, Projection, half
from assay_training.taught.model import STATS, Backbone, SameConv
from assay_training.taught.words import SPECIAL, Words, build_words
from taught.taught_world import WORDS

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def net() -> Backbone:
    """A net with random weights that keep activations in a sane range."""
    torch.manual_seed(0)
    net = Backbone().to(memory_format=torch.channels_last).eval()
    for conv in (part for part in net.modules() if isinstance(part, SameConv)):
        torch.nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
        torch.nn.init.zeros_(conv.bias)
    return net


@pytest.fixture(scope="session")
def pixels() -> np.ndarray:
    """uint8 [4, SIDE, SIDE, 3]: smooth, textured, blocky, dark."""
    images = golden_images()
    return np.stack([np.asarray(images[name]) for name in ("scene", "texture", "blocky", "dim")])


@pytest.fixture(scope="session")
def fp32(net, tmp_path_factory) -> Path:
    """The net as a graph, image to statistics."""
    path = tmp_path_factory.mktemp("graphs") / "fp32.onnx"
    export_backbone(net, path)
    return path


@pytest.fixture(scope="session")
def int8(net, fp32, pixels) -> Path:
    """The same, quantised."""
    path = fp32.with_name("int8.onnx")
    quantise_backbone(fp32, path, net, [image[None] for image in pixels])
    return path


@pytest.fixture(scope="session")
def encoder(tmp_path_factory) -> Path:
    """A folder with tokenizer.json, which knows WORDS, and minilm.onnx, a sentence encoder of width 8."""
    folder = tmp_path_factory.mktemp("encoder")
    vocabulary = {piece: number for number, piece in enumerate((*SPECIAL, *WORDS))}
    _write_tokenizer(folder / "tokenizer.json", vocabulary)
    rng, graph = np.random.default_rng(1), Graph("encoder")
    embedding = graph.constant(rng.normal(size=(len(vocabulary), 8)).astype(np.float32), "embedding")
    types = graph.constant(rng.normal(size=(2, 8)).astype(np.float32), "types")
    axis = graph.constant(np.array([2], np.int64), "axis")
    mask = graph.node("Unsqueeze", graph.node("Cast", "attention_mask", to=TensorProto.FLOAT), axis)
    kept = graph.node("Mul", graph.node("Gather", embedding, "input_ids"), mask)
    graph.node("Add", kept, graph.node("Gather", types, "token_type_ids"), name="last_hidden_state")
    names = ("input_ids", "attention_mask", "token_type_ids")
    inputs = {name: (np.int64, ["batch", "sequence"]) for name in names}
    graph.save(folder / "minilm.onnx", inputs, {"last_hidden_state": (np.float32, ["batch", "sequence", 8])})
    return folder


def _write_tokenizer(path: Path, vocabulary: dict[str, int]) -> None:
    """With padding and truncation, as published tokenizers have them."""
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = BertNormalizer(), BertPreTokenizer()
    ends = [(piece, vocabulary[piece]) for piece in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    tokenizer.enable_padding(length=16, pad_token="[PAD]")
    tokenizer.enable_truncation(16)
    tokenizer.save(str(path))


@pytest.fixture(scope="session")
def words(encoder, tmp_path_factory) -> Words:
    """The word table of the tiny encoder."""
    return build_words(encoder, tmp_path_factory.mktemp("words"))


@pytest.fixture(scope="session")
def heads(int8, pixels, words) -> Heads:
    """Random heads around what the net sees in `pixels`, rounded as fitted ones are."""
    seen = open_session(int8).run(None, {"image": pixels})[0]
    rng, width, count = np.random.default_rng(2), words.table.shape[1], 12
    deviation = np.linalg.norm(seen - seen.mean(0), axis=1).mean()
    matrix = half(rng.normal(size=(STATS, 6)) / deviation)
    projection = Projection(matrix, -(seen.mean(0) @ matrix).astype(np.float32))
    weight, offset = rng.normal(0, 0.6, (count, 2)), np.array([2.5, np.log(0.4)])
    return Heads(
        projection,
        Kernel(half(rng.normal(0, 0.5, (count, 6))), 0.4),
        quality_weight=weight,
        quality_offset=offset,
        alignment_weight=weight[:, ::-1] * [1, 0.5],
        alignment_offset=offset,
        text_weight=half(rng.normal(size=(count, width))),
        usual=rng.normal(0, 0.3, width),
        mix=np.array([0.3, 0.7, 0.9, -0.4]),
    )


@pytest.fixture(scope="session")
def scorer_graph(int8, heads, words) -> Path:
    """The whole scorer."""
    path = int8.with_name("scorer.onnx")
    attach_heads(int8, path, heads, words)
    return path


@pytest.fixture(scope="session")
def teacher(tmp_path_factory) -> Path:
    """An ONNX graph with the teacher's inputs and node names: patches, mixed at random at each tap."""
    path = tmp_path_factory.mktemp("teacher") / "teacher.onnx"
    rng, graph, side = np.random.default_rng(3), Graph("teacher"), 4
    patches, width = teaching.SIDE // side, teaching.WIDTH
    means = graph.node(
        "AveragePool", "pixel_values", kernel_shape=[patches, patches], strides=[patches, patches]
    )
    weight = graph.constant(rng.normal(size=(width, 3, 1, 1)).astype(np.float32), "weight")
    shape = graph.constant(np.array([1, width, side * side], np.int64), "shape")
    found = graph.node("Reshape", graph.node("Conv", means, weight), shape)
    found = graph.node("Transpose", found, perm=[0, 2, 1])
    x = graph.node("Concat", graph.node("ReduceMean", found, axes=[1], keepdims=1), found, axis=1)
    for depth in range(teaching.DEPTH):
        name = f"/{teaching.PREFIX}/encoder/layers.{depth}/Add_1_output_0"
        shift = graph.constant(rng.normal(size=width).astype(np.float32), f"shift{depth}")
        last = depth == teaching.DEPTH - 1
        x = graph.node("Add", graph.node("Tanh", x), shift, name="last_hidden_state" if last else name)
    inputs = {"pixel_values": (np.float32, [1, 3, teaching.SIDE, teaching.SIDE])}
    graph.save(path, inputs, {"last_hidden_state": (np.float32, [1, 1 + side * side, width])})
    return path
