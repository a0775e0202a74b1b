"""The stages from a data folder to the shipped model folder; each resumes from the work folder."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from assay_training.calibration import cross_fitted
from assay_training.data import FAMILIES, FOLDS, Ratings, load_ratings
from assay_training.lite.cache import Cache, build_cache, open_cache
from assay_training.lite.card import write_card
from assay_training.lite.config import Config
from assay_training.lite.evaluate import evaluate
from assay_training.lite.export import export, int8
from assay_training.lite.nets import load_net, predict, replace_weights
from assay_training.lite.package import package
from assay_training.lite.score import Scores, score_all
from assay_training.lite.spread import features, fit_spread
from assay_training.lite.train import train
from assay_training.report import print_results, shortened
from assay_training.verify import verify

BACKBONE = "efficientnet_lite0_int8w.tflite"
FAMILY_JOBS = {f"without-{name}": name for name in FAMILIES}
FAMILY_EPOCHS = 4  # of the nets that miss a generator family; the shipped recipe has more
CALIBRATION_IMAGES = 200  # training images that set the int8 ranges of each net


@dataclass(frozen=True)
class Paths:
    """Folders of one run: inputs, shipped model, intermediate files, and the small results file."""

    data: Path
    backbones: Path
    out: Path
    work: Path
    results: Path


def run(paths: Paths, stages: Iterable[str], workers: int, families: bool) -> None:
    """Runs the named stages (see STAGES) in order and prints how long each took."""
    ratings = load_ratings(paths.data)
    print(f"data: {len(ratings)} images, {len(np.unique(ratings.prompt))} prompts, {FOLDS} folds", flush=True)
    for stage in stages:
        started = time.monotonic()
        STAGES[stage](paths, ratings, workers, families)
        print(f"stage {stage}: {time.monotonic() - started:.0f} s", flush=True)


def job_rows(ratings: Ratings, families: bool) -> dict[str, np.ndarray]:
    """Training rows of each net by name: per fold, on everything, and on demand without each family."""
    jobs = {f"fold{fold}": np.flatnonzero(ratings.fold != fold) for fold in range(FOLDS)}
    jobs["full"] = np.arange(len(ratings))
    if families:
        jobs |= {job: np.flatnonzero(ratings.family() != name) for job, name in FAMILY_JOBS.items()}
    return jobs


def _cache(paths: Paths, ratings: Ratings, workers: int, families: bool) -> None:
    build_cache(ratings, paths.backbones / BACKBONE, paths.work / "cache", workers)


def _train(paths: Paths, ratings: Ratings, workers: int, families: bool) -> None:
    jobs = job_rows(ratings, families)
    _in_parallel(workers, _train_job, [(name, rows, paths, ratings) for name, rows in jobs.items()])


def _spread(paths: Paths, ratings: Ratings, workers: int, families: bool) -> None:
    cache, targets = _open(paths), ratings.targets()
    errors = np.empty_like(targets)
    for fold in range(FOLDS):
        rows = np.flatnonzero(ratings.fold == fold)
        net = load_net(paths.work / f"fold{fold}" / "net.pt")
        errors[rows] = np.abs(predict(net, cache, rows)[0] - targets[rows])
    jobs = job_rows(ratings, False)
    _in_parallel(workers, _spread_job, [(name, rows, errors[rows], paths) for name, rows in jobs.items()])


def _export(paths: Paths, ratings: Ratings, workers: int, families: bool) -> None:
    jobs = job_rows(ratings, False)
    _in_parallel(workers, _export_job, [(name, rows, paths) for name, rows in jobs.items()])


def _score(paths: Paths, ratings: Ratings, workers: int, families: bool) -> None:
    score_all(ratings, _open(paths), paths.work).save(paths.work / "scores.npz")


def _predict(paths: Paths, ratings: Ratings, workers: int, families: bool) -> None:
    """Writes last.csv beside the results: what `tower` compares its scores with, image by image."""
    cache, raw = _open(paths), np.empty((len(ratings), 2))
    for fold in range(FOLDS):
        rows = np.flatnonzero(ratings.fold == fold)
        net = load_net(paths.work / f"fold{fold}" / "net.pt")
        raw[rows, 0], raw[rows, 1] = (part[:, 0] for part in predict(net, cache, rows))
    score = cross_fitted(raw, ratings.quality, ratings.fold)["score"]
    with paths.results.with_name("last.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["name", "quality"])
        writer.writerows(zip(ratings.name, score.round(4).tolist(), strict=True))


def _evaluate(paths: Paths, ratings: Ratings, workers: int, families: bool) -> None:
    scores = Scores.load(paths.work / "scores.npz")
    results = evaluate(ratings, _open(paths), scores, paths.work, Config())
    paths.results.parent.mkdir(parents=True, exist_ok=True)
    paths.results.write_text(json.dumps(shortened(results), indent=1) + "\n")
    print_results(json.loads(paths.results.read_text()))


def _package(paths: Paths, ratings: Ratings, workers: int, families: bool) -> None:
    results = json.loads(paths.results.read_text())
    raw = getattr(Scores.load(paths.work / "scores.npz"), results["default"])
    package(paths.out, paths.work / "full", raw, ratings.quality, results["default"])
    write_card(paths.out / "card.md", results)


def _verify(paths: Paths, ratings: Ratings, workers: int, families: bool) -> None:
    verify(paths.out)


STAGES: dict[str, Callable[[Paths, Ratings, int, bool], None]] = {
    "cache": _cache,
    "train": _train,
    "spread": _spread,
    "export": _export,
    "predict": _predict,
    "score": _score,
    "evaluate": _evaluate,
    "package": _package,
    "verify": _verify,
}


def _in_parallel(workers: int, work: Callable, calls: list[tuple]) -> None:
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for future in [pool.submit(work, *call) for call in calls]:
            future.result()


def _train_job(name: str, rows: np.ndarray, paths: Paths, ratings: Ratings) -> None:
    torch.set_num_threads(1)
    held_out = np.setdiff1d(np.arange(len(ratings)), rows)
    config = Config(epochs=FAMILY_EPOCHS) if name in FAMILY_JOBS else Config()
    train(rows, held_out, ratings, _open(paths), paths.backbones / BACKBONE, paths.work / name, config)


def _spread_job(name: str, rows: np.ndarray, errors: np.ndarray, paths: Paths) -> None:
    torch.set_num_threads(1)
    net = load_net(paths.work / name / "net.pt")
    reached = fit_spread(net, features(net, _open(paths), rows), torch.from_numpy(errors))
    replace_weights(paths.work / name / "net.pt", net)
    print(f"spread: {name}, negative log likelihood {reached:.3f}", flush=True)


def _export_job(name: str, rows: np.ndarray, paths: Paths) -> None:
    torch.set_num_threads(1)
    folder, cache = paths.work / name, _open(paths)
    export(load_net(folder / "net.pt"), folder / "fp32.onnx")
    chosen = np.random.default_rng(0).choice(rows, min(CALIBRATION_IMAGES, len(rows)), replace=False)
    images = [np.array(cache.pixels[row][None]) for row in np.sort(chosen)]
    shift = int8(folder / "fp32.onnx", folder / "int8.onnx", images)
    print(f"export: {name}, int8 mean corrected by {shift:.3f}", flush=True)


def _open(paths: Paths) -> Cache:
    return open_cache(paths.work / "cache")
