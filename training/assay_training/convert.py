"""Makes a model folder of a published system: variants of its graphs, calibration, golden results, card."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from assay_training.checkpoints import CheckpointError
from assay_training.checks import check_system
from assay_training.data import MOS_RANGE
from assay_training.folder import fill_folder, write_json
from assay_training.json_object import read_object
from assay_training.reference import Fitted, calibrate, identity, sample
from assay_training.scorer import Scorer
from assay_training.system_card import card
from assay_training.variant_distance import PAIRS, Distance, distances, drawn_pairs, pairs_of
from assay_training.variants import FULL, write_variants
from assay_training.window_effect import window_effects

TOLERANCES = {
    True: 0.002,
    False: 0.02,
}  # of golden scores, of the range: float32 alone; with smaller variants
TOKENIZER, MENDING = "tokenizer.json", "mending.json"
SLOW_PAIRS, SLOW_IMAGES = 4, 6  # of a slow system
COMPARED = 60  # images on which counts of windows are compared


@dataclass(frozen=True)
class System:
    """What a system hands over to be made into a model folder."""

    graphs: dict[str, Path]  # fp32 ONNX file of each graph
    tokenizer: Path | None  # tokenizer.json (Hugging Face format); None for one that reads no text
    manifest: dict  # all but what make_folder adds: variants, files, calibration, golden, card
    card: str  # Markdown: what it is, source, licence state, quirks, and what was not loaded
    windows: tuple[int, ...] = ()  # window counts that get a variant each; the first is the default
    slow: bool = False  # an image takes most of a minute: variants are compared on few, percentiles too
    mending: Path | None = None  # tables by which texts are mended before they are tokenized
    float32: tuple[str, ...] = ()  # operators that float16 would spoil


def make_folder(
    system: System,
    out: Path,
    *,
    fp16: bool = False,
    int8: bool = False,
    images: Path | None = None,
    ratings: Path | None = None,
) -> dict[str, dict[str, Distance]]:
    """Writes the model folder `out`; an earlier one of the same scorer is replaced once all is done.

    Returns how far the scores of each variant are from those of the full one, by aspect.

    images: at least 20 pictures, among which percentiles are places. ratings: a folder as load_ratings reads,
    to which scores and intervals are fitted. Raises CheckpointError or DataError if parts do not fit.
    """
    if images and ratings:
        raise CheckpointError(
            "images: of no use with ratings, whose images are the reference; give one of them"
        )
    if system.manifest.get("language") and (images or ratings):
        raise CheckpointError(
            f"{images or ratings}: of no use here: scores need {system.manifest['language']['model']}, which "
            "conversion does not ask"
        )
    check_out(out, system.manifest["id"])
    check_system(system.graphs, system.tokenizer, system.manifest)
    if system.windows and system.manifest["image"]["resize"] != "windows":
        raise CheckpointError("manifest: image.resize is not windows, but there are counts of windows")
    smaller = [name for name, wanted in (("fp16", fp16), ("int8", int8)) if wanted]
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".convert-", dir=out.parent) as place:
        folder = Path(place) / out.name
        folder.mkdir()
        apart = _fill(folder, system, smaller, images, ratings)
        if out.exists():
            shutil.rmtree(out)
        folder.rename(out)
    print(f"convert: {out}", flush=True)
    return apart


def check_out(out: Path, name: str | None = None) -> None:
    """Raises CheckpointError if nothing can be written there, or something else than this scorer would be
    overwritten; without a name, something else than any scorer."""
    above = next(path for path in out.absolute().parents if path.exists())
    if not above.is_dir():
        raise CheckpointError(f"{out}: expected a place in a folder; {above} is a file")
    if out.is_symlink():
        raise CheckpointError(f"{out}: expected a folder, found a link; give the folder that it leads to")
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    manifest = out / "manifest.json"
    found = read_object(manifest).get("id") if manifest.is_file() else None
    if not found or found != (name or found):
        raise CheckpointError(
            f"{out}: expected nothing there or an earlier folder of {name or 'the scorer'}, found something "
            "else"
        )


def _fill(
    folder: Path, system: System, smaller: list[str], images: Path | None, ratings: Path | None
) -> dict[str, dict[str, Distance]]:
    per_prompt = [link["graph"] for link in system.manifest["graphs"] if link["per"] == "prompt"]
    variants = write_variants(
        folder, system.manifest["id"], system.graphs, system.windows, smaller, per_prompt, system.float32
    )
    manifest = _manifest(system, variants)
    text_files = _write_text_files(folder, system)
    write_json(folder / "calibration.json", _nothing_fitted(manifest).to_json())
    write_json(folder / "manifest.json", manifest)  # graphs are run through it
    count = SLOW_PAIRS if system.slow else PAIRS
    given = sample(manifest, images, ratings, count) if images or ratings else None
    apart = distances(folder, manifest, pairs_of(given, count) if given else drawn_pairs(count))
    for variant, aspects in apart.items():
        for name, one in aspects.items():
            print(f"{variant} {name}: {one.pairs} pairs, at most {one.largest:.2%} off", flush=True)
    most = SLOW_IMAGES if system.slow else None
    fitted = calibrate(Scorer(folder, threads=os.cpu_count() or 1), images, ratings, most)
    for name in fitted.rated:
        manifest["aspects"][name]["range"] = list(MOS_RANGE)
    data = [*sorted(path.name for path in folder.glob("*.onnx*")), *text_files]
    width = max(high - low for low, high in (a["range"] for a in manifest["aspects"].values() if a))
    tolerance = round(TOLERANCES[not smaller] * width, 4)
    fill_folder(folder, data, fitted.to_json(), manifest, (tolerance, tolerance))
    effects = []
    if len(system.windows) > 1:
        effects = window_effects(folder, manifest, sample(manifest, images, ratings, COMPARED))
    text = card(system.card, manifest, folder, fitted, apart, effects)
    (folder / manifest["card"]).write_text(text, encoding="utf-8")
    return apart


def _write_text_files(folder: Path, system: System) -> list[str]:
    """Names of the files by which texts are read."""
    if not system.tokenizer:
        return []
    stored = json.loads(system.tokenizer.read_text(encoding="utf-8"))
    stored |= {"padding": None, "truncation": None}
    (folder / TOKENIZER).write_text(json.dumps(stored, ensure_ascii=False) + "\n", encoding="utf-8")
    if not system.mending:
        return [TOKENIZER]
    shutil.copyfile(system.mending, folder / MENDING)
    return [TOKENIZER, MENDING]


def _manifest(system: System, variants: dict) -> dict:
    """The contents of manifest.json, without hashes."""
    given = json.loads(json.dumps(system.manifest))  # a copy at every depth
    image = given["image"]
    if system.windows:
        image["windows"]["count"] = system.windows[0]
    head = ("id", "version", "title", "description", "license", "source")
    gpu = {"gpuVariant": "fp16"} if "fp16" in variants else {}
    return {
        "manifestVersion": 1,
        **{name: given[name] for name in head},
        "backend": "onnx",
        "defaultVariant": FULL,
        **gpu,
        "variants": variants,
        "files": {},
        **{name: value for name, value in given.items() if name not in head},
        "text": _text(system),
        "calibration": "calibration.json",
        "golden": "golden.json",
        "card": "card.md",
    }


def _text(system: System) -> dict | None:
    if not system.tokenizer:
        return None
    mending = {"mending": MENDING} if system.mending else {}
    return system.manifest["text"] | {"tokenizer": TOKENIZER} | mending


def _nothing_fitted(manifest: dict) -> Fitted:
    aspects = {name: aspect["range"] for name, aspect in manifest["aspects"].items() if aspect}
    return Fitted({name: identity(ends, np.array(ends)) for name, ends in aspects.items()}, "golden", 0)
