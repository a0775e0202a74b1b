import numpy as np
import pytest
from onnx import TensorProto

from assay_training.data import load_ratings
from assay_training.degrade import DEGRADATIONS
from assay_training.graph import Graph
from assay_training.images import load_rgb, stretched
from assay_training.scorer import open_session
from assay_training.tower import features as seeing
from assay_training.tower.clip import SHAPE
from assay_training.tower.features import COPIES, SIZE, build_features, damages, ladder_rows
from tower.tower_world import InlinePool


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    """Mixes the mean colours of an image: as the tower, but quick."""
    path, graph = tmp_path_factory.mktemp("features") / "graph.onnx", Graph("colours")
    floats = graph.node("Cast", "image", to=TensorProto.FLOAT)
    means = graph.node("ReduceMean", floats, axes=[1, 2], keepdims=0)
    weight = graph.constant(np.random.default_rng(0).normal(size=(3, SIZE)).astype(np.float32))
    graph.node("MatMul", means, weight, name="statistics")
    graph.save(
        path,
        {"image": (np.uint8, ["n", SHAPE.side, SHAPE.side, 3])},
        {"statistics": (np.float32, ["n", SIZE])},
    )
    return path


def test_features_are_what_the_graph_sees(data, graph, tmp_path, monkeypatch):
    monkeypatch.setattr(seeing, "ProcessPoolExecutor", InlinePool)
    monkeypatch.setattr(seeing, "LADDERS", {"dark": (0.5, 0.25, 0.1)})
    monkeypatch.setattr(seeing, "NOISE_IMAGES", 3)
    ratings, folder = load_ratings(data), tmp_path / "features"
    pictures = np.random.default_rng(0).integers(0, 256, (2, SHAPE.side, SHAPE.side, 3), np.uint8)
    found = build_features(ratings, pictures, graph, folder, workers=2)
    pixels = stretched(load_rgb(ratings.path(4)), SHAPE.side)[None]
    session = open_session(graph)
    np.testing.assert_array_equal(found.plain[4], session.run(None, {"image": pixels})[0][0])
    np.testing.assert_allclose(
        found.pictures, session.run(None, {"image": pictures})[0], rtol=1e-4, atol=1e-2
    )
    assert found.copies.shape == (15, COPIES, SIZE)
    assert (found.copies != found.plain[:, None]).any(2).all()
    assert found.ladders.shape == (len(found.rows), 1, 3, SIZE)
    steps = np.abs(found.ladders[:, 0]).sum(2)
    assert (np.diff(steps, axis=1) < 0).all()  # ever darker
    assert found.noise.any(1).all()
    assert [(k, s) for k, s in zip(found.kind[4], found.share[4], strict=True)] == damages(4)

    (data / "images" / str(ratings.name[4])).unlink()
    again = build_features(
        ratings, pictures, graph, folder, workers=2
    )  # complete, so images are not looked at
    np.testing.assert_array_equal(again.plain, found.plain)


def test_damages_are_always_the_same_and_of_every_kind():
    assert damages(3) == damages(3) != damages(4)
    drawn = [damage for row in range(200) for damage in damages(row)]
    assert {kind for kind, _ in drawn} == set(range(len(DEGRADATIONS)))
    assert all(0 <= share < 1 for _, share in drawn)


def test_ladders_start_from_the_better_half(data):
    ratings = load_ratings(data)
    rows = ladder_rows(ratings)
    assert (ratings.quality[rows] >= np.median(ratings.quality)).all()
    assert len(rows) == 8
