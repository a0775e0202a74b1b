"""The graphs compute what the heads do in numpy; heads are fitted to features of few images drawn at
random."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest

from assay_training.base.clip import EMBEDDING, Judge
from assay_training.base.compress import SHAPE
from assay_training.base.features import FOREIGN, SIZE
from assay_training.base.fit import fit_heads
from assay_training.base.guard import Guard
from assay_training.base.heads import Heads, Seen, Settings, Table
from assay_training.base.hold_out import guard_of
from assay_training.base.score_graph import attach_heads
from assay_training.graph import Graph
from assay_training.scorer import open_session
from assay_training.tower.export import sizes, unit_of

COUNT = 60
SETTINGS = Settings(components=8, landmarks=24)


def _features(rng: np.random.Generator, count: int, signal: np.ndarray | float = 0.0) -> np.ndarray:
    found = rng.standard_normal((count, SIZE)).astype(np.float32)
    found[:, :40] += np.asarray(signal, np.float32).reshape(-1, 1)
    found[:, SHAPE.stats :] += 3.0
    found[:, SHAPE.stats :] /= np.linalg.norm(found[:, SHAPE.stats :], axis=1, keepdims=True)
    return found


@pytest.fixture(scope="module")
def world() -> tuple[dict, Table, Heads, Guard]:
    rng = np.random.default_rng(0)
    quality = rng.uniform(0, 5, COUNT)
    features = {
        "plain": _features(rng, COUNT, 3 * quality),
        "harmless": _features(rng, COUNT, 3 * quality),
        "damaged": _features(rng, COUNT),
        "noise": _features(rng, 6),
        "pictures": _features(rng, 8),
        "seen": _features(rng, 2 * FOREIGN),
    }
    features["damaged"][::2] = np.nan  # not computed
    prompt = np.array([f"prompt {row % 12}" for row in range(COUNT)])
    meaning = rng.standard_normal((12, 16))[np.arange(COUNT) % 12]
    table = Table(quality, quality[::-1].copy(), meaning, prompt, np.arange(COUNT) % 3)
    judges = tuple(Judge(rng.standard_normal(EMBEDDING), 2.0) for _ in range(2))
    rows = np.arange(COUNT)
    heads = fit_heads(features, judges, table, rows, SETTINGS, 0)
    return features, table, heads, guard_of(features, rows, heads)


def _tower(path) -> None:
    """Statistics and embedding are bytes of the image."""
    graph = Graph("tower")
    flat = graph.node("Reshape", graph.node("Cast", "image", to=onnx.TensorProto.FLOAT), sizes(graph, 0, -1))
    rest = SHAPE.side**2 * 3 - SIZE
    parts = graph.nodes_of("Split", flat, sizes(graph, SHAPE.stats, EMBEDDING, rest), count=3, axis=1)
    graph.node("Identity", parts[0], name="statistics")
    graph.node("Identity", unit_of(graph, parts[1]), name="embedding")
    outputs = {"statistics": (np.float32, ["n", SHAPE.stats]), "embedding": (np.float32, ["n", EMBEDDING])}
    graph.save(path, {"image": (np.uint8, ["n", SHAPE.side, SHAPE.side, 3])}, outputs)


def test_the_graph_is_the_heads(world, tmp_path):
    _, table, heads, guard = world
    _tower(tmp_path / "tower.onnx")
    attach_heads(tmp_path / "tower.onnx", tmp_path / "score.onnx", heads, guard)
    image = np.random.default_rng(1).integers(0, 3, (5, SHAPE.side, SHAPE.side, 3), np.uint8)
    flat = image.reshape(5, -1)[:, :SIZE].astype(np.float32)
    embedding = flat[:, SHAPE.stats :] / np.linalg.norm(flat[:, SHAPE.stats :], axis=1, keepdims=True)
    seen = Seen(np.hstack([flat[:, : SHAPE.stats], embedding]), embedding)
    wanted = heads.words.wanted(table.meaning[:5]).astype(np.float32)
    names = ["quality", "alignment", "foreignness"]
    found = open_session(tmp_path / "score.onnx").run(names, {"image": image, "wanted": wanted})
    foreign = guard.foreignness(seen.embedding, seen.statistics, heads.projection)
    for got, expected in zip(
        found, (heads.quality(seen), heads.alignment(seen, wanted), foreign[:, None]), strict=True
    ):
        np.testing.assert_allclose(got, expected, rtol=2e-3, atol=2e-3)


def test_learns_ratings_and_ignores_rows_left_out(world):
    features, table, heads, _ = world
    seen = Seen.of(features["plain"])
    assert np.corrcoef(heads.quality(seen)[:, 0], table.quality)[0, 1] > 0.8
    spoilt = {name: values.copy() for name, values in features.items()}
    for name in ("plain", "harmless", "damaged"):
        spoilt[name][40:] = 7.0
    few = np.arange(40)
    judges = tuple(Judge(heads.opinion[:, i], float(heads.opinion_offset[i])) for i in range(2))
    first, second = (fit_heads(part, judges, table, few, SETTINGS, 0) for part in (features, spoilt))
    np.testing.assert_array_equal(first.weight, second.weight)


def test_copies_say_how_far_they_are_from_their_originals(world):
    """Harmless copies that lose something by their features are judged like their originals once trusted."""
    features, table, _, _ = world
    shifted = features | {"harmless": features["plain"].copy()}
    shifted["harmless"][:, 40:200] -= 1.5
    judges = tuple(Judge(np.full(EMBEDDING, 0.1), 0.0) for _ in range(2))
    rows, off = np.arange(COUNT), []
    for trust in (0.0, 30.0):
        settings = replace(SETTINGS, same_trust=trust, webp_trust=trust)
        heads = fit_heads(shifted, judges, table, rows, settings, 0)
        found = [heads.quality(Seen.of(shifted[name]))[:, 0] for name in ("plain", "harmless")]
        off.append(np.abs(found[1] - found[0]).mean())
    assert off[1] < 0.5 * off[0]


def test_damaged_copies_lose_what_they_are_supposed_to(world):
    features, table, _, _ = world
    worse = features | {"damaged": features["plain"].copy()}
    worse["damaged"][:, 40:200] -= 1.5
    judges = tuple(Judge(np.full(EMBEDDING, 0.1), 0.0) for _ in range(2))
    heads = fit_heads(worse, judges, table, np.arange(COUNT), replace(SETTINGS, copy_trust=1.0), 0)
    found = [heads.quality(Seen.of(worse[name]))[:, 0] for name in ("plain", "damaged")]
    assert (found[1] < found[0]).mean() > 0.9


def test_far_from_everything_the_others_judge_alone(world):
    features, _, heads, _ = world
    far = Seen.of(features["plain"][:3] * 1000)
    far = Seen(far.statistics, far.embedding / 1000)
    start = np.column_stack([np.ones(3), far.embedding @ heads.opinion + heads.opinion_offset]) @ heads.start
    np.testing.assert_allclose(heads.quality(far)[:, 0], start[:, 0], atol=1e-4)
