"""Tiny stand-ins for tower and sentence encoder, so that no test needs the real ones."""

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
from assay_training.images import stretched
from assay_training.scorer import open_session
from assay_training.tower import export
from assay_training.tower.clip import Tower
from assay_training.tower.compress import Compressed, compress
from assay_training.tower.export import export_tower
from assay_training.tower.heads import Heads
from assay_training.tower.kernel import Kernel, Projection
from assay_training.tower.rounding import rounded
from assay_training.tower.words import SPECIAL, Words, build_words
from tower.tower_world import RECIPE, TINY, WORDS, squares

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tower() -> Tower:
    """A tower with random weights: attention is neither flat nor hard, and channels differ in size."""
    torch.manual_seed(0)
    tower = Tower(TINY).eval()
    with torch.no_grad():
        for name, value in tower.named_parameters():
            value.normal_()
            if value.ndim > 1 and "blocks" in name:
                value.mul_(1.5 / value.shape[1] ** 0.5)
            elif ".ln" in name and name.endswith("weight"):
                value.mul_(0.3).exp_()
            elif "blocks" in name:
                value.mul_(0.5)
        tower.patch.weight.div_(500)
        tower.norm.weight.mul_(0.3).exp_()
    return tower


@pytest.fixture(scope="session")
def calibration() -> np.ndarray:
    """uint8 [36, side, side, 3]: what the tower is compressed on."""
    rng = np.random.default_rng(0)
    return np.stack([squares(rng, TINY.side) for _ in range(36)])


@pytest.fixture(scope="session")
def pixels() -> np.ndarray:
    """uint8 [5, side, side, 3]: smooth, textured, blocky, dark, squares; none of them in `calibration`."""
    images = golden_images()
    drawn = [stretched(images[name], TINY.side) for name in ("scene", "texture", "blocky", "dim")]
    return np.stack([*drawn, squares(np.random.default_rng(1), TINY.side)])


@pytest.fixture(scope="session")
def compressed(tower, calibration) -> Compressed:
    """The tower with rounded matrices."""
    return compress(tower, calibration, RECIPE, threads=1)


@pytest.fixture(scope="session")
def tower_graph(compressed, tmp_path_factory) -> Path:
    """The same as a graph, image to statistics."""
    path = tmp_path_factory.mktemp("graphs") / "tower.onnx"
    export_tower(compressed, path)
    return path


@pytest.fixture(scope="session")
def statistics(tower_graph, pixels) -> np.ndarray:
    """What the graph sees in `pixels`."""
    return open_session(tower_graph).run(None, {"image": pixels})[0]


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
def heads(statistics, words) -> Heads:
    """Random heads around what the tower sees in `pixels`, rounded as fitted ones are."""
    rng, width, count = np.random.default_rng(2), words.table.value.shape[1], 12
    axes = rng.normal(0, 1 / TINY.stats**0.5, (TINY.stats, 6)) * rng.uniform(0.5, 1.5, 6)
    projection = Projection(statistics.mean(0), statistics.std(0) + 0.1, rounded(axes, 4))
    weight, offset = rng.normal(0, 0.6, (count, 2)), np.array([2.5, np.log(0.4)])
    return Heads(
        projection,
        Kernel(rounded(rng.normal(0, 0.5, (count, 6)), 8), 0.4),
        quality_weight=weight,
        quality_offset=offset,
        alignment_weight=weight[:, ::-1] * [1, 0.5],
        alignment_offset=offset,
        text_weight=rounded(rng.normal(size=(count, width)), 8),
        usual=rng.normal(0, 0.3, width),
        mix=np.array([0.3, 0.7, 0.9, -0.4]),
    )


@pytest.fixture(scope="session")
def scorer_graph(tower_graph, heads, words) -> Path:
    """The whole scorer."""
    path = tower_graph.with_name("scorer.onnx")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "SHAPE", TINY)
        export.attach_heads(tower_graph, path, heads, words)
    return path
