"""Checks a model folder: hashes, golden results, and that batches and threads change nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from assay_training.scorer import Scorer

TOLERANCE = 1e-4  # between batch sizes, orders and thread counts, in MOS units
BATCHES = (1, 2, 3, 7, 16, 32)
PROMPT = "a lake at dusk"


class VerifyError(ValueError):
    """The model folder contradicts itself; the message says where."""


def verify(folder: Path) -> None:
    """Prints one line per check. Raises VerifyError at the first that fails, or if a file is missing."""
    manifest = _read(folder / "manifest.json")
    for line in (
        *check_files(folder, manifest),
        *check_golden(folder, manifest),
        *check_invariance(folder, manifest),
    ):
        print(line, flush=True)


def digest(path: Path) -> dict:
    """The manifest's entry for one file: sha256 in hex and size in bytes."""
    data = path.read_bytes()
    return {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def check_files(folder: Path, manifest: dict) -> Iterator[str]:
    """Recomputes every hash of the manifest."""
    for name, expected in manifest["files"].items():
        if not (folder / name).is_file():
            raise VerifyError(f"{folder / name}: listed in manifest.json, but missing")
        found = digest(folder / name)
        if found != expected:
            raise VerifyError(f"{folder / name}: expected {expected}, found {found}")
    yield f"files: {len(manifest['files'])} hashes match"


def check_golden(folder: Path, manifest: dict) -> Iterator[str]:
    """Scores the golden images with every variant and compares score, interval and percentile."""
    items = _read(folder / manifest["golden"])["items"]
    for variant in manifest["variants"]:
        scorer = Scorer(folder, variant)
        worst = 0.0
        for item in items:
            found = golden_result(scorer, folder / item["image"], item["prompt"])
            worst = max(
                worst,
                _compare(found, item["expect"][variant], item["tolerance"], f"{item['image']} {variant}"),
            )
        yield f"golden: {variant} agrees on {len(items)} images, largest difference {worst:.5f}"


def golden_result(scorer: Scorer, image: Path, prompt: str | None) -> dict:
    """{aspect: {score, interval, percentile}} of one image file, rounded as in golden.json."""
    with Image.open(image) as opened:
        pixels = scorer.prepare(opened)
    found = scorer.score(pixels[None], prompt)
    return {
        aspect: {
            "score": round(float(values["score"][0]), 4),
            "interval": [round(float(values[end][0]), 4) for end in ("low", "high")],
            "percentile": round(float(values["percentile"][0]), 4),
        }
        for aspect, values in found.items()
    }


def check_invariance(folder: Path, manifest: dict) -> Iterator[str]:
    """The same images in other batch sizes, in another order and on two threads give the same raw outputs."""
    rng = np.random.default_rng(0)
    side = (max(BATCHES), manifest["image"]["height"] // 8, manifest["image"]["width"] // 8, 3)
    pixels = rng.integers(0, 256, side, np.uint8).repeat(8, 1).repeat(8, 2)
    order = rng.permutation(len(pixels))
    for variant in manifest["variants"]:
        scorers = [Scorer(folder, variant, threads) for threads in (1, 2)]
        expected = _in_batches(scorers[0], pixels, 1)
        found = [_in_batches(scorer, pixels[order], batch) for scorer in scorers for batch in BATCHES]
        for aspect, values in expected.items():
            worst = max(float(np.abs(part[aspect] - values[order]).max()) for part in found)
            if worst > TOLERANCE:
                raise VerifyError(
                    f"{variant} {aspect}: outputs differ by {worst:.2e} between batches or threads"
                )
            yield f"invariance: {variant} {aspect}: batches {BATCHES}, 1 and 2 threads differ by {worst:.1e}"


def _in_batches(scorer: Scorer, pixels: np.ndarray, batch: int) -> dict[str, np.ndarray]:
    parts = [scorer.raw(pixels[start : start + batch], PROMPT) for start in range(0, len(pixels), batch)]
    return {aspect: np.concatenate([part[aspect] for part in parts]) for aspect in parts[0]}


def _compare(found: dict, expected: dict, tolerance: float, where: str) -> float:
    if found.keys() != expected.keys():
        raise VerifyError(f"{where}: expected aspects {sorted(expected)}, found {sorted(found)}")
    worst = 0.0
    for aspect, values in expected.items():
        for name, value in values.items():
            difference = float(np.abs(np.subtract(found[aspect][name], value)).max())
            if difference > tolerance:
                got = found[aspect][name]
                raise VerifyError(
                    f"{where}: {aspect} {name}: expected {value} within {tolerance}, found {got}"
                )
            worst = max(worst, difference)
    return worst


def _read(path: Path) -> dict:
    if not path.is_file():
        raise VerifyError(f"{path}: file not found")
    return json.loads(path.read_text())
