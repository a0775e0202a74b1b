"""The tower of a graph that ships can be read back, to the bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from assay_training.__main__ import main
from assay_training.base.blocks import BLOCK
from assay_training.base.clip import EMBEDDING
from assay_training.base.compress import SHAPE
from assay_training.base.features import SIZE
from assay_training.base.reuse import keep_heads, read_products
from assay_training.data import DataError
from assay_training.graph import Graph
from assay_training.scorer import open_session
from assay_training.tower.clip import MATRICES
from assay_training.tower.export import float_constant, sizes

SHIPPED = Path(__file__).parents[3] / "models" / "assay-base" / "assay-base.int4.onnx"


def test_reads_what_the_shipped_graph_holds():
    products = read_products(SHIPPED)
    assert list(products) == [f"{block}.{name}" for block in range(SHAPE.blocks) for name in MATRICES]
    constants = {entry.name: entry for entry in onnx.load(SHIPPED).graph.initializer}
    packed = [numpy_helper.to_array(entry) for name, entry in constants.items() if name.endswith(".codes")]
    assert len(packed) == len(products)
    for product, codes in zip(products.values(), packed, strict=True):
        np.testing.assert_array_equal(product.blocked.packed(), codes)
        rows, columns = product.blocked.codes.shape
        assert product.bias.shape == (rows,)
        assert product.blocked.step.shape == (rows, columns // BLOCK)


def _other_tower(path: Path) -> None:
    """The same statistics and embedding, whatever the image."""
    graph = Graph("tower")
    flat = graph.node("Reshape", graph.node("Cast", "image", to=onnx.TensorProto.FLOAT), sizes(graph, 0, -1))
    none = graph.node("ReduceSum", flat, sizes(graph, 1), keepdims=1)
    none = graph.node("Mul", none, float_constant(graph, 0.0))
    values = np.linspace(-1, 1, SIZE, dtype=np.float32)[None]
    for name, part in (("statistics", values[:, : SHAPE.stats]), ("embedding", values[:, SHAPE.stats :])):
        graph.node("Add", none, float_constant(graph, part), name=name)
    ends = {"statistics": (np.float32, ["n", SHAPE.stats]), "embedding": (np.float32, ["n", EMBEDDING])}
    graph.save(path, {"image": (np.uint8, ["n", SHAPE.side, SHAPE.side, 3])}, ends)


def test_keeps_the_heads_of_the_shipped_graph(tmp_path):
    _other_tower(tmp_path / "tower.onnx")
    keep_heads(SHIPPED, tmp_path / "tower.onnx", tmp_path / "first.onnx")
    keep_heads(tmp_path / "first.onnx", tmp_path / "tower.onnx", tmp_path / "second.onnx")
    shipped, kept = (
        {e.name: e for e in onnx.load(path).graph.initializer} for path in (SHIPPED, tmp_path / "first.onnx")
    )
    heads = [name for name in shipped if name.startswith("heads_")]
    assert len(heads) > 20
    for name in heads:
        assert shipped[name].raw_data == kept[name].raw_data
    feeds = {
        "image": np.zeros((2, SHAPE.side, SHAPE.side, 3), np.uint8),
        "wanted": np.eye(2, EMBEDDING, dtype=np.float32),
    }
    names = ["quality", "alignment", "foreignness"]
    found = [open_session(tmp_path / name).run(names, feeds) for name in ("first.onnx", "second.onnx")]
    assert [part.shape for part in found[0]] == [(2, 2), (2, 2), (2, 1)]
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_heads_are_kept_of_a_folder_that_is_named(tmp_path, capsys):
    needed = [
        part for name in ("data", "out", "pictures", "weights") for part in (f"--{name}", str(tmp_path))
    ]
    assert main(["base", *needed, "--keep-heads"]) == 1
    assert "--keep-heads needs --reuse" in capsys.readouterr().err


def test_refuses_a_graph_without_heads(tmp_path):
    _other_tower(tmp_path / "tower.onnx")
    with pytest.raises(DataError, match="no heads"):
        keep_heads(tmp_path / "tower.onnx", tmp_path / "tower.onnx", tmp_path / "both.onnx")


def test_refuses_a_graph_without_such_products(tmp_path):
    graph = Graph("other")
    graph.node("Identity", "x", name="y")
    ends = ({"x": (np.float32, ["n"])}, {"y": (np.float32, ["n"])})
    graph.save(tmp_path / "other.onnx", *ends)
    with pytest.raises(DataError, match="0 four-bit products, expected 48"):
        read_products(tmp_path / "other.onnx")
