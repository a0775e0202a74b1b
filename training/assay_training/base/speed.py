"""Processor time of an image on one thread, and beside it the same tower in float32, in turns: both meet the
same load."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import numpy as np
import onnx

from assay_training.base.clip import EMBEDDING, load_embedder
from assay_training.base.compress import SHAPE, load
from assay_training.base.export import export_tower
from assay_training.scorer import open_session
from assay_training.tower.clip import load_tower


def activation_noise(score: Path, images: list[np.ndarray], work: Path) -> dict:
    """{"images", "mean", "largest"}: how far eight-bit activations are from float ones, in raw quality."""
    model = onnx.load(score)
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.name == "accuracy_level":
                attribute.i = 0
    plain = work / "score.float.onnx"
    onnx.save(model, plain)
    wanted = np.zeros((1, EMBEDDING), np.float32)
    found = [
        [session.run(["quality"], {"image": image[None], "wanted": wanted})[0][0, 0] for image in images]
        for session in (open_session(score), open_session(plain))
    ]
    off = np.abs(np.subtract(*found))
    return {"images": len(images), "mean": float(off.mean()), "largest": float(off.max())}


def speed(original: Path, compressed: Path, work: Path, score: Path, rounds: int = 25) -> dict:
    """{"ms", "floatMs", "ratio", "bytes"}: medians; the ratio is that of the fastest runs. Batch 1."""
    plain = work / "tower.float.onnx"
    if not plain.exists():
        export_tower(
            load(load_tower(original, SHAPE), compressed), load_embedder(original, SHAPE.width), plain, None
        )
    image = np.random.default_rng(0).integers(0, 256, (1, SHAPE.side, SHAPE.side, 3), np.uint8)
    feeds = {"image": image, "wanted": np.zeros((1, EMBEDDING), np.float32)}
    runs = [(open_session(score), feeds, []), (open_session(plain), {"image": image}, [])]
    for _ in range(rounds):
        for session, own, times in runs:
            started = time.thread_time()  # what others do meanwhile does not count
            session.run(None, own)
            times.append(1000 * (time.thread_time() - started))
    (ours, floats) = (times[3:] for _, _, times in runs)
    return {
        "ms": statistics.median(ours),
        "floatMs": statistics.median(floats),
        "ratio": min(ours) / min(floats),
        "bytes": score.stat().st_size,
    }
