"""Runs the same tower in eager PyTorch and in onnxruntime on the same images and prints images per second.

The PyTorch tower takes its weights from the shipped graph and computes in fp32; both must see nearly the same
in every image before any time is taken. Runtimes take turns, so that a busy machine slows all of them alike.
Example: python bench/compare.py --json
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx.utils import Extractor

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "training"))

from assay_training.golden import golden_images  # noqa: E402
from assay_training.images import load_rgb, stretched  # noqa: E402
from assay_training.tower.clip import SHAPE, to_pixels  # noqa: E402
from assay_training.tower.readback import read_back  # noqa: E402

# isort: split
import onnxruntime  # noqa: E402 (after assay_training, which switches its telemetry off)

MODEL = ROOT / "models" / "assay-lite"
LEAST = 0.95  # correlation between what both see in an image; the rest is rounding of activations
Runner = Callable[[np.ndarray], np.ndarray]


def main() -> None:
    options = parse()
    torch.set_num_threads(options.threads)
    pixels = load_pixels(options.images, options.count)
    runners = build_runners(options.model, options.threads)
    agreement = check_equal(runners, pixels)
    speed = measure(runners, pixels, options.batch, options.rounds)
    report = {
        "threads": options.threads,
        "batch": options.batch,
        "images": len(pixels),
        "rounds": options.rounds,
        "leastCorrelation": agreement,
        "imagesPerSecond": speed,
        "ratio": {name: speed[name] / speed["torch fp32"] for name in speed},
    }
    print(json.dumps(report, indent=1) if options.json else as_text(report))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=MODEL, help="model folder (models/assay-lite)")
    parser.add_argument("--images", type=Path, help="folder of images; without it, procedural ones are drawn")
    parser.add_argument("--count", type=int, default=32, help="images per round (32)")
    parser.add_argument("--batch", type=int, default=1, help="images per call (1)")
    parser.add_argument("--threads", type=int, default=1, help="threads of each runtime (1)")
    parser.add_argument("--rounds", type=int, default=5, help="timed rounds, after one that is not timed (5)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    return parser.parse_args()


def load_pixels(folder: Path | None, count: int) -> np.ndarray:
    """uint8 [count, side, side, 3]; fewer images than `count` are repeated."""
    if folder is None:
        images = list(golden_images(SHAPE.side).values())
    else:
        files = sorted(
            path for path in folder.iterdir() if path.suffix.lower() in {".png", ".jpg", ".jpeg", ".webp"}
        )
        images = [load_rgb(path) for path in files[:count]]
    if not images:
        sys.exit(f"{folder}: no .png, .jpg, .jpeg or .webp files")
    ready = [stretched(image, SHAPE.side) for image in images]
    return np.stack([ready[index % len(ready)] for index in range(count)])


def build_runners(model: Path, threads: int) -> dict[str, Runner]:
    """Functions from uint8 [N, side, side, 3] to pooled statistics [N, stats], by runtime."""
    graph = model / json.loads((model / "manifest.json").read_text())["variants"]["int8"]["graphs"]["score"]
    tower = read_back(graph)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    part = Extractor(onnx.load(graph)).extract_model(["image"], ["statistics"])
    session = onnxruntime.InferenceSession(
        part.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )

    def run_torch(pixels: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return tower(to_pixels(pixels)).numpy()

    return {
        "torch fp32": run_torch,
        "onnxruntime int8": lambda pixels: session.run(["statistics"], {"image": pixels})[0],
    }


def check_equal(runners: dict[str, Runner], pixels: np.ndarray) -> float:
    """Least correlation of both runtimes' statistics; stops the program if they do not run the same tower."""
    expected, found = (runner(pixels[:8]) for runner in runners.values())
    least = float(min(np.corrcoef(a, b)[0, 1] for a, b in zip(expected, found, strict=True)))
    if least < LEAST:
        sys.exit(f"not the same tower: statistics correlate by {least:.3f}, at least {LEAST} is expected")
    return least


def measure(runners: dict[str, Runner], pixels: np.ndarray, batch: int, rounds: int) -> dict[str, float]:
    """Median images per second by runtime."""
    seconds: dict[str, list[float]] = {name: [] for name in runners}
    for _ in range(rounds + 1):
        for name, runner in runners.items():
            started = time.perf_counter()
            for start in range(0, len(pixels), batch):
                runner(pixels[start : start + batch])
            seconds[name].append(time.perf_counter() - started)
    return {name: len(pixels) / statistics.median(values[1:]) for name, values in seconds.items()}


def as_text(report: dict) -> str:
    lines = [f"{report['images']} images, batch {report['batch']}, {report['threads']} thread(s)"]
    lines.append(f"statistics of each image correlate by {report['leastCorrelation']:.4f} or more")
    for name, speed in report["imagesPerSecond"].items():
        lines.append(f"{name}: {speed:.1f} images/s, {report['ratio'][name]:.2f} x PyTorch")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
