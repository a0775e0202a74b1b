from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto
from PIL import Image

from assay_training.data import DataError
from assay_training.graph import Graph
from assay_training.tower import foreign
from assay_training.tower.foreign import foreign_table
from assay_training.tower.words import CONTEXT
from tower.tower_world import TINY


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(foreign, "SHAPE", TINY)


@pytest.fixture(scope="module")
def graph(tmp_path_factory) -> Path:
    """Takes the mean red for the foreignness and the mean green for the quality, both in 0..255."""
    path, graph = tmp_path_factory.mktemp("foreign") / "graph.onnx", Graph("colours")
    floats = graph.node("Cast", "image", to=TensorProto.FLOAT)
    means = graph.node("ReduceMean", floats, axes=[1, 2], keepdims=0)
    sizes = graph.constant(np.array([1, 1, 1], np.int64), "sizes")
    red, green, blue = graph.nodes_of("Split", means, sizes, count=3, axis=1)
    graph.node("Identity", red, name="foreignness")
    length = graph.node("ReduceSum", graph.node("Cast", "ids", to=TensorProto.FLOAT), keepdims=1)
    graph.node("Concat", green, graph.node("Add", blue, length), axis=1, name="quality")
    inputs = {"image": (np.uint8, ["n", TINY.side, TINY.side, 3]), "ids": (np.int64, ["n", CONTEXT])}
    graph.save(path, inputs, {"quality": (np.float32, ["n", 2]), "foreignness": (np.float32, ["n", 1])})
    return path


def paint(path: Path, red: int, green: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (48, 40), (red, green, 0)).save(path)


def test_shares_of_caught_and_overrated_pictures_per_kind(graph, tmp_path):
    for number, (red, green) in enumerate([(200, 250), (50, 250), (50, 20), (50, 30)]):
        paint(tmp_path / "pages" / "deep" / f"{number}.png", red, green)
    paint(tmp_path / "photographs" / "0.PNG", 250, 0)
    (tmp_path / "photographs" / "notes.txt").write_text("no picture")
    found = foreign_table(tmp_path, graph, limit=100, quality_median=128)
    assert found == {
        "pages": {"images": 4, "caught": 0.25, "overrated": 0.25},
        "photographs": {"images": 1, "caught": 1.0, "overrated": 0.0},
    }


def test_of_many_pictures_the_same_ones_are_taken(graph, tmp_path, monkeypatch):
    monkeypatch.setattr(foreign, "MOST", 3)
    for number in range(9):
        paint(tmp_path / "pages" / f"{number}.png", 20 * number, 0)
    first, again = (foreign_table(tmp_path, graph, 90, 128) for _ in range(2))
    assert first == again
    assert first["pages"]["images"] == 3


def test_folders_without_kinds_or_pictures_are_named(graph, tmp_path):
    with pytest.raises(DataError, match=r"no folders; expected one per kind of picture"):
        foreign_table(tmp_path, graph, 1, 1)
    (tmp_path / "pages").mkdir()
    with pytest.raises(DataError, match=r"pages: no pictures; expected png, jpg or webp"):
        foreign_table(tmp_path, graph, 1, 1)
