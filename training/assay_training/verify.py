"""Checks a model folder: hashes, golden results, and that batches and threads change nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from assay_training.json_object import read_object
from assay_training.prepare import Inputs
from assay_training.scorer import Scorer

PART = 1 << 24  # bytes of a file that are hashed at a time: some are larger than memory
TOLERANCE = 1e-4  # between batch sizes, orders and thread counts, in MOS units
BATCHES = (1, 2, 3, 7, 16, 32)
PROMPT = "a lake at dusk"
# of scorers with several graphs, which may take seconds an image; sizes that are enlarged, kept and wide
FEW_BATCHES = (1, 2, 3)
SIZES = ((320, 320), (520, 640), (384, 512))
PROMPTS = (PROMPT, "", "two cats on a red sofa, " * 20)


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
    found = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(PART):
            found.update(part)
    return {"sha256": found.hexdigest(), "bytes": path.stat().st_size}


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
        inputs = scorer.inputs(opened)
    found = scorer.score({name: values[None] for name, values in inputs.items()}, prompt)
    return {
        aspect: {
            "score": round(float(values["score"][0]), 4),
            "interval": [round(float(values[end][0]), 4) for end in ("low", "high")],
            "percentile": round(float(values["percentile"][0]), 4),
        }
        for aspect, values in found.items()
    }


def check_invariance(folder: Path, manifest: dict) -> Iterator[str]:
    """The same images in other batches (that the manifest allows), in another order and on two threads give
    the same raw outputs."""
    tried = FEW_BATCHES if "graphs" in manifest else BATCHES
    batches = tuple(count for count in tried if count <= manifest.get("maxBatch", count))
    for variant in manifest["variants"]:
        for aspect, worst in _differences(folder, manifest, variant, batches).items():
            if worst > TOLERANCE:
                raise VerifyError(
                    f"{variant} {aspect}: outputs differ by {worst:.2e} between batches or threads"
                )
            yield f"invariance: {variant} {aspect}: batches {batches}, 1 and 2 threads differ by {worst:.1e}"


def _differences(folder: Path, manifest: dict, variant: str, batches: tuple[int, ...]) -> dict[str, float]:
    """The largest difference of each aspect to what it is for each image alone, on one thread."""
    scorers = [Scorer(folder, variant, threads) for threads in (1, 2)]
    if "graphs" in manifest:
        pixels, prompts = _prepared(scorers[0]), list(PROMPTS)
    else:
        pixels, prompts = _noise(manifest["image"]), [PROMPT] * max(BATCHES)
    order = np.random.default_rng(0).permutation(len(prompts))
    expected = _in_batches(scorers[0], pixels, prompts, 1)
    shuffled, of_shuffled = _part(pixels, order), [prompts[index] for index in order]
    found = [
        _in_batches(scorer, shuffled, of_shuffled, batch)
        for scorer in scorers
        for batch in batches
        if (scorer, batch) != (scorers[0], 1)
    ]
    return {
        aspect: max(float(np.abs(part[aspect] - values[order]).max()) for part in found)
        for aspect, values in expected.items()
    }


def _noise(image: dict) -> np.ndarray:
    """[N, H, W, 3]: random squares of 8 pixels a side, as many as the largest batch holds."""
    size = (max(BATCHES), image["height"] // 8, image["width"] // 8, 3)
    return np.random.default_rng(0).integers(0, 256, size, np.uint8).repeat(8, 1).repeat(8, 2)


def _prepared(scorer: Scorer) -> Inputs:
    """The same at several sizes, prepared as the scorer does: one image a size."""
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (height // 8, width // 8, 3), np.uint8) for height, width in SIZES]
    inputs = [scorer.inputs(Image.fromarray(image.repeat(8, 0).repeat(8, 1))) for image in images]
    return {name: np.stack([one[name] for one in inputs]) for name in inputs[0]}


def _part(pixels: np.ndarray | Inputs, where: slice | np.ndarray) -> np.ndarray | Inputs:
    if isinstance(pixels, dict):
        return {name: values[where] for name, values in pixels.items()}
    return pixels[where]


def _in_batches(
    scorer: Scorer, pixels: np.ndarray | Inputs, prompts: list[str], batch: int
) -> dict[str, np.ndarray]:
    parts = [slice(start, start + batch) for start in range(0, len(prompts), batch)]
    found = [scorer.raw(_part(pixels, part), prompts[part]) for part in parts]
    return {aspect: np.concatenate([part[aspect] for part in found]) for aspect in found[0]}


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
    return read_object(path)
