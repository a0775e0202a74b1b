"""The stages from pictures and ratings to the shipped model folder; each resumes from the work folder."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from assay_training.data import FOLDS, DataError, Ratings, load_ratings
from assay_training.lite.pipeline import rounded
from assay_training.taught.card import write_card
from assay_training.taught.corpus import Corpus, build_corpus
from assay_training.taught.distil import Recipe, distil, load_student
from assay_training.taught.export import attach_heads, export_backbone, quantise_backbone
from assay_training.taught.features import PICTURES, Features, build_features
from assay_training.taught.foreign import foreign_table
from assay_training.taught.heads import Settings, Table, fit_heads
from assay_training.taught.package import Fitted, package
from assay_training.taught.protocol import (
    Held,
    calibrations,
    domain_limit,
    hold_out,
    measure,
    read_predictions,
    write_predictions,
)
from assay_training.taught.report import print_results
from assay_training.taught.speed import speed
from assay_training.taught.words import Words, build_words
from assay_training.verify import verify

STUDENT = "efficientnet-lite2-9656183e.pth"
TEACHER = "clip_encoder.int8.onnx"
CALIBRATION_PICTURES = 200  # of the corpus; they set the int8 ranges


@dataclass(frozen=True)
class Paths:
    """Folders of one run: ratings, unrated pictures, weights, shipped model, intermediate files, results."""

    data: Path
    pictures: Path
    weights: Path
    out: Path
    work: Path
    results: Path
    foreign: Path | None = None

    @property
    def student(self) -> Path:
        return self.work / "student.pt"

    @property
    def backbone(self) -> Path:
        return self.work / "backbone.int8.onnx"


def run(paths: Paths, stages: Iterable[str], workers: int) -> None:
    """Runs the named stages (see STAGES) in order and prints how long each took."""
    ratings = load_ratings(paths.data)
    print(f"data: {len(ratings)} images, {len(np.unique(ratings.prompt))} prompts, {FOLDS} folds", flush=True)
    for name in (STUDENT, TEACHER, "minilm.onnx", "tokenizer.json"):
        if not (paths.weights / name).is_file():
            raise DataError(
                f"{paths.weights / name}: file not found; training/README.md says where it comes from"
            )
    for stage in stages:
        started = time.monotonic()
        STAGES[stage](paths, ratings, workers)
        print(f"stage {stage}: {time.monotonic() - started:.0f} s", flush=True)


def _corpus(paths: Paths, ratings: Ratings, workers: int) -> None:
    _open_corpus(paths, workers)


def _distil(paths: Paths, ratings: Ratings, workers: int) -> None:
    distil(_open_corpus(paths, workers), paths.weights / STUDENT, paths.student, Recipe(), workers)


def _export(paths: Paths, ratings: Ratings, workers: int) -> None:
    net, source = load_student(paths.student), paths.work / "backbone.fp32.onnx"
    export_backbone(net, source)
    pixels = _open_corpus(paths, workers).pixels
    chosen = np.sort(np.random.default_rng(0).permutation(len(pixels))[:CALIBRATION_PICTURES])
    quantise_backbone(source, paths.backbone, net, [np.array(pixels[row][None]) for row in chosen])


def _features(paths: Paths, ratings: Ratings, workers: int) -> None:
    _open_features(paths, ratings, workers)
    build_words(paths.weights, paths.work)


def _evaluate(paths: Paths, ratings: Ratings, workers: int) -> None:
    features, prompts = _open_features(paths, ratings, workers), _words(paths).vectors(ratings.prompt)
    held = hold_out(ratings, features, prompts, Settings())
    held.save(paths.work / "held.npz")
    last = read_predictions(paths.results.parent / "last.csv", ratings)
    results = measure(ratings, features, held, last)
    state = load_state(paths.student)
    results["training"] = {key: state[key] for key in ("step", "seconds")}
    results["distilled"] = state["recipe"]
    paths.results.parent.mkdir(parents=True, exist_ok=True)
    paths.results.write_text(json.dumps(rounded(results), indent=1) + "\n")
    print_results(json.loads(paths.results.read_text()))


def _package(paths: Paths, ratings: Ratings, workers: int) -> None:
    features, words = _open_features(paths, ratings, workers), _words(paths)
    held = Held.load(paths.work / "held.npz")
    table = Table(ratings.quality, ratings.alignment, words.vectors(ratings.prompt), ratings.fold)
    heads = fit_heads(features, table, np.arange(len(ratings)), Settings(), seed=0)
    graph = paths.work / "assay-taught.int8.onnx"
    attach_heads(paths.backbone, graph, heads, words)
    package(
        paths.out,
        Fitted(graph, words.tokenizer, calibrations(ratings, held), domain_limit(held), len(ratings)),
    )
    results = json.loads(paths.results.read_text())
    results["speed"] = speed(graph)
    limit = domain_limit(held)
    results["domain"] = {
        "limit": limit,
        "falseAlarms": float((held.distance > limit).mean()),
        "unratedAlarms": float((held.pictures > limit).mean()),
    }
    if paths.foreign:
        median = float(np.median(held.quality[..., 0]))
        results["foreign"] = foreign_table(paths.foreign, graph, limit, median)
    paths.results.write_text(json.dumps(rounded(results), indent=1) + "\n")
    write_predictions(paths.results.with_name("taught.csv"), ratings, held)
    write_card(paths.out / "card.md", results)


def _verify(paths: Paths, ratings: Ratings, workers: int) -> None:
    verify(paths.out)


STAGES: dict[str, Callable[[Paths, Ratings, int], None]] = {
    "corpus": _corpus,
    "distil": _distil,
    "export": _export,
    "features": _features,
    "evaluate": _evaluate,
    "package": _package,
    "verify": _verify,
}


def load_state(path: Path) -> dict:
    """A checkpoint's plain values."""
    return torch.load(path, weights_only=True)


def _open_corpus(paths: Paths, workers: int) -> Corpus:
    weights, teacher = paths.weights / STUDENT, paths.weights / TEACHER
    return build_corpus(paths.pictures, weights, teacher, paths.work / "corpus", workers)


def _open_features(paths: Paths, ratings: Ratings, workers: int) -> Features:
    pictures = _open_corpus(paths, workers).undamaged(PICTURES)
    return build_features(ratings, pictures, paths.backbone, paths.work / "features", workers)


def _words(paths: Paths) -> Words:
    return build_words(paths.weights, paths.work)
