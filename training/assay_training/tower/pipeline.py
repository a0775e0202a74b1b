"""The stages from pictures and ratings to the shipped model folder; each resumes from the work folder."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np

from assay_training import fitted
from assay_training.data import Ratings
from assay_training.folder import write_json
from assay_training.report import shortened
from assay_training.stages import Paths, Stages
from assay_training.tower.card import write_card
from assay_training.tower.clip import load_tower
from assay_training.tower.compress import Recipe, compress, load, read_errors, save
from assay_training.tower.export import attach_heads, export_tower
from assay_training.tower.features import PICTURES, Features, build_features
from assay_training.tower.foreign import foreign_table
from assay_training.tower.heads import Settings, Table, fit_heads
from assay_training.tower.held import Held
from assay_training.tower.package import GRAPH, Fitted, package
from assay_training.tower.pictures import choose
from assay_training.tower.predictions import read_predictions, write_predictions
from assay_training.tower.protocol import calibrations, domain_limit, hold_out, measure
from assay_training.tower.report import print_results
from assay_training.tower.speed import speed
from assay_training.tower.words import Words, build_words
from assay_training.verify import verify


def _compress(paths: Paths, ratings: Ratings, workers: int) -> None:
    recipe, stamp = Recipe(), paths.work / "recipe.json"
    wanted = json.dumps(asdict(recipe), indent=1)
    if not (paths.compressed.exists() and stamp.exists() and stamp.read_text() == wanted):
        pictures = choose(paths.pictures, recipe.pictures, recipe.seed, damaged=True)
        paths.work.mkdir(parents=True, exist_ok=True)
        save(compress(load_tower(paths.original), pictures, recipe, workers), paths.compressed)
        stamp.write_text(wanted)


def _export(paths: Paths, ratings: Ratings, workers: int) -> None:
    export_tower(load(load_tower(paths.original), paths.compressed), paths.tower)


def _features(paths: Paths, ratings: Ratings, workers: int) -> None:
    _open_features(paths, ratings, workers)
    build_words(paths.weights, paths.work)


def _evaluate(paths: Paths, ratings: Ratings, workers: int) -> None:
    features, prompts = _open_features(paths, ratings, workers), _words(paths).vectors(ratings.prompt)
    held = hold_out(ratings, features, prompts, Settings())
    held.save(paths.work / "held.npz")
    last = read_predictions(paths.results.parent / "last.csv", ratings)
    results = measure(ratings, features, held, last)
    results["compressed"] = asdict(Recipe()) | {"errors": read_errors(paths.compressed)}
    paths.results.parent.mkdir(parents=True, exist_ok=True)
    paths.results.write_text(json.dumps(shortened(results), indent=1) + "\n")
    print_results(json.loads(paths.results.read_text()))


def _package(paths: Paths, ratings: Ratings, workers: int) -> None:
    features, words = _open_features(paths, ratings, workers), _words(paths)
    held = Held.load(paths.work / "held.npz")
    table = Table(ratings.quality, ratings.alignment, words.vectors(ratings.prompt), ratings.fold)
    heads = fit_heads(features, table, np.arange(len(ratings)), Settings(), seed=0)
    graph = paths.work / GRAPH
    attach_heads(paths.tower, graph, heads, words)
    package(
        paths.out,
        Fitted(graph, words.tokenizer, calibrations(ratings, held), domain_limit(held), len(ratings)),
    )
    images = map(ratings.path, range(len(ratings)))
    write_json(paths.out / fitted.FILE, fitted.fingerprints("AGIQA-3K", images))
    results = json.loads(paths.results.read_text())
    results["speed"] = speed(graph)
    limit = domain_limit(held)
    results["domain"] = {
        "limit": limit,
        "falseAlarms": float((held.foreignness > limit).mean()),
        "unratedAlarms": float((held.pictures > limit).mean()),
    }
    if paths.foreign:
        median = float(np.median(held.quality[..., 0]))
        results["foreign"] = foreign_table(paths.foreign, graph, limit, median)
    paths.results.write_text(json.dumps(shortened(results), indent=1) + "\n")
    write_predictions(paths.results.with_name("tower.csv"), ratings, held)
    write_card(paths.out / "card.md", results)


def _verify(paths: Paths, ratings: Ratings, workers: int) -> None:
    verify(paths.out)


STAGES: Stages = {
    "compress": _compress,
    "export": _export,
    "features": _features,
    "evaluate": _evaluate,
    "package": _package,
    "verify": _verify,
}


def _open_features(paths: Paths, ratings: Ratings, workers: int) -> Features:
    unrated = choose(paths.pictures, PICTURES, seed=5, damaged=False)
    return build_features(ratings, unrated, paths.tower, paths.work / "features", workers)


def _words(paths: Paths) -> Words:
    return build_words(paths.weights, paths.work)
