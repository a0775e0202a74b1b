from types import SimpleNamespace

import numpy as np
from onnx import TensorProto

from assay_training.graph import Graph
from assay_training.tower import speed as timing
from assay_training.tower.words import CONTEXT
from tower.tower_world import TINY


def test_speed_is_the_median_after_a_warm_up(tmp_path, monkeypatch):
    path, graph = tmp_path / "graph.onnx", Graph("sums")
    graph.node("ReduceSum", graph.node("Cast", "image", to=TensorProto.FLOAT), keepdims=0, name="light")
    graph.node("ReduceSum", "ids", keepdims=0, name="total")
    inputs = {"image": (np.uint8, ["n", TINY.side, TINY.side, 3]), "ids": (np.int64, ["n", CONTEXT])}
    graph.save(path, inputs, {"light": (np.float32, []), "total": (np.int64, [])})
    seconds = [9, 9, 9, 0.001, 0.002, 0.008]
    clock = iter(np.cumsum([value for taken in seconds for value in (1, taken)]))
    monkeypatch.setattr(timing, "SHAPE", TINY)
    monkeypatch.setattr(timing, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    found = timing.speed(path, rounds=len(seconds))
    assert round(found["ms"], 6) == 2
    assert found["bytes"] == path.stat().st_size
