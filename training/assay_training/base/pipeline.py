"""The stages from pictures and ratings to the shipped model folder; each resumes from the work folder."""

from __future__ import annotations

import json
import pickle
import shutil
from dataclasses import asdict

import numpy as np

from assay_training import fitted
from assay_training.base.blind import blind_table
from assay_training.base.card import write_card
from assay_training.base.clip import load_embedder, load_judges
from assay_training.base.compress import RECIPE, SHAPE, load, refitted, save
from assay_training.base.encoder import Encoder, load_encoder, meanings
from assay_training.base.export import export_tower
from assay_training.base.features import COPIES, IMAGE, Job, Maker, build_features, open_features
from assay_training.base.fit import fit_heads
from assay_training.base.heads import Settings, Table
from assay_training.base.held import Held
from assay_training.base.hold_out import guard_of, hold_out
from assay_training.base.measure import calibrations, measure
from assay_training.base.package import SCORE, WORDS, Fitted, package
from assay_training.base.report import print_results
from assay_training.base.reuse import keep_heads, read_products
from assay_training.base.score_graph import attach_heads, write_words
from assay_training.base.speed import activation_noise, speed
from assay_training.calibration import Calibration
from assay_training.data import MOS_RANGE, Ratings
from assay_training.folder import write_json
from assay_training.images import list_images
from assay_training.prepare import prepare
from assay_training.report import shortened
from assay_training.stages import MEANING, TOKENIZER, Paths, Stages
from assay_training.tower.clip import load_tower
from assay_training.tower.compress import compress, read_errors
from assay_training.tower.figures import last_of
from assay_training.tower.pictures import choose
from assay_training.tower.predictions import read_predictions, write_predictions
from assay_training.verify import verify


def _compress(paths: Paths, ratings: Ratings, workers: int) -> None:
    if paths.compressed.exists():
        return
    paths.work.mkdir(parents=True, exist_ok=True)
    if paths.reuse:
        errors = json.loads(paths.results.read_text())["compressed"]["errors"]
        save(read_products(paths.reuse / SCORE), errors, paths.compressed)
    else:
        pictures = choose(paths.pictures, RECIPE.pictures, RECIPE.seed, damaged=True, side=SHAPE.side)
        tower = load_tower(paths.original, SHAPE)
        found = compress(tower, pictures, RECIPE, workers, refitted)
        save(found.products, found.errors, paths.compressed)


def _export(paths: Paths, ratings: Ratings, workers: int) -> None:
    original = paths.original
    compressed = load(load_tower(original, SHAPE), paths.compressed)
    export_tower(compressed, load_embedder(original, SHAPE.width), paths.tower)


def _features(paths: Paths, ratings: Ratings, workers: int) -> None:
    build_features(Maker(ratings, paths.pictures), paths.tower, paths.work / "features", workers)


def _evaluate(paths: Paths, ratings: Ratings, workers: int) -> None:
    maker = Maker(ratings, paths.pictures)
    features = open_features(maker, paths.work / "features")
    table = _table(ratings, _encoder(paths), paths)
    held = hold_out(ratings, features, load_judges(paths.weights), table, maker.rows, Settings())
    held.save(paths.work / "held.npz")
    last = read_predictions(last_of(paths.results), ratings) or {}
    results = measure(ratings, held.of_images(maker.reported), maker.rows[maker.reported], last)
    results["compressed"] = asdict(RECIPE) | {"errors": read_errors(paths.compressed)}
    tokenizer, judges = paths.weights / TOKENIZER, load_judges(paths.weights)
    results["blind"] = blind_table(ratings, features, judges, table, _encoder(paths), tokenizer, Settings())
    results["copies"] = {name: int((~np.isnan(features[name][:, -1])).sum()) for name in COPIES}
    paths.results.parent.mkdir(parents=True, exist_ok=True)
    paths.results.write_text(json.dumps(shortened(results), indent=1) + "\n")
    print_results(json.loads(paths.results.read_text()))


def _package(paths: Paths, ratings: Ratings, workers: int) -> None:
    maker, encoder = Maker(ratings, paths.pictures), _encoder(paths)
    features, everything = open_features(maker, paths.work / "features"), np.arange(len(ratings))
    table = _table(ratings, encoder, paths)
    heads = fit_heads(features, load_judges(paths.weights), table, everything, Settings(), seed=0)
    score, words = paths.work / "score.onnx", paths.work / "words.onnx"
    attach_heads(paths.tower, score, heads, guard_of(features, everything, heads))
    write_words(words, encoder, heads.words)
    held, results = Held.load(paths.work / "held.npz"), json.loads(paths.results.read_text())
    _fill(
        paths, ratings, Fitted(score, words, paths.weights / TOKENIZER, calibrations(ratings, held), results)
    )
    write_predictions(paths.results.with_suffix(".csv"), ratings, held)


def _rewrite(paths: Paths, ratings: Ratings, workers: int) -> None:
    """The heads of `reuse`, words and calibration with them, on the tower as it is exported now."""
    score, words = paths.work / "score.onnx", paths.work / "words.onnx"
    keep_heads(paths.reuse / SCORE, paths.tower, score)
    shutil.copyfile(paths.reuse / WORDS, words)
    stored = json.loads((paths.reuse / "calibration.json").read_text())["aspects"]
    kept = {name: Calibration.from_json(entry, MOS_RANGE) for name, entry in stored.items()}
    results = json.loads(paths.results.read_text())
    _fill(paths, ratings, Fitted(score, words, paths.weights / TOKENIZER, kept, results))


def _fill(paths: Paths, ratings: Ratings, parts: Fitted) -> None:
    """The model folder; what is measured on its graph goes to the results, and they to the card."""
    results, everything = parts.results, np.arange(len(ratings))
    package(paths.out, parts)
    write_json(paths.out / fitted.FILE, fitted.fingerprints("AGIQA-3K", map(ratings.path, everything)))
    results["speed"] = speed(paths.original, paths.compressed, paths.work, paths.out / SCORE)
    plain = Maker(ratings, paths.pictures)
    pixels = [prepare(plain.picture(Job("plain", row)), IMAGE)["image"] for row in everything[::100]]
    results["activations"] = activation_noise(paths.out / SCORE, pixels, paths.work)
    results["bytes"] = sum(path.stat().st_size for path in paths.out.rglob("*") if path.is_file())
    paths.results.write_text(json.dumps(shortened(results), indent=1) + "\n")
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
KEEPING: Stages = {"compress": _compress, "export": _export, "rewrite": _rewrite, "verify": _verify}


def _encoder(paths: Paths) -> Encoder:
    """Rounded on names of styles and artists, which the unrated pictures have for file names."""
    kept = paths.work / "encoder.pkl"
    if not kept.exists():
        names = [path.stem for path in list_images(paths.pictures) if path.suffix == ".webp"]
        texts = [name.replace("-", " ").replace("_", " ") for name in names[::7]]
        found = load_encoder(paths.weights / MEANING, paths.weights / TOKENIZER, texts)
        kept.write_bytes(pickle.dumps(found))
    return pickle.loads(kept.read_bytes())


def _table(ratings: Ratings, encoder: Encoder, paths: Paths) -> Table:
    prompts, place = np.unique(ratings.prompt, return_inverse=True)
    found = meanings(encoder, paths.weights / TOKENIZER, prompts.tolist())
    return Table(ratings.quality, ratings.alignment, found[place], ratings.prompt, ratings.fold)
