"""Milliseconds an image on one thread."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import numpy as np

from assay_training.scorer import open_session
from assay_training.tower.clip import SHAPE
from assay_training.tower.words import CONTEXT


def speed(graph: Path, rounds: int = 40) -> dict:
    """Median and size: {"ms", "bytes"}; batch 1, one thread, after a few runs to warm up."""
    session, rng = open_session(graph), np.random.default_rng(0)
    feeds = {
        "image": rng.integers(0, 256, (1, SHAPE.side, SHAPE.side, 3), np.uint8),
        "ids": rng.integers(1000, 20000, (1, CONTEXT)),
    }
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        session.run(None, feeds)
        times.append(1000 * (time.perf_counter() - started))
    return {"ms": statistics.median(times[3:]), "bytes": graph.stat().st_size}
