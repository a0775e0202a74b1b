"""Every number of the model card, from out-of-fold scores; calibrated numbers are cross-fitted."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import numpy as np
import torch

from assay_training import metrics
from assay_training.calibration import COVERAGE, cross_fitted, fit
from assay_training.data import FAMILIES, Ratings
from assay_training.lite.alignment import compare_alignment, worth_shipping
from assay_training.lite.cache import Cache
from assay_training.lite.config import Config
from assay_training.lite.score import LADDERS, Scores
from assay_training.lite.unseen import unseen_frozen, unseen_tuned
from assay_training.scorer import open_session

MAX_LOSS = 0.005  # SRCC that the faster variant may cost and still be the default


def evaluate(ratings: Ratings, cache: Cache, scores: Scores, work: Path, config: Config) -> dict:
    """All results as plain JSON values (about 2 minutes, mostly bootstrap draws)."""
    variants = {name: quality_table(ratings, getattr(scores, name)) for name in ("fp32", "int8")}
    speed = speed_ratios(work / "full", np.array(cache.pixels[:1]))
    loss = variants["fp32"]["srcc"]["value"] - variants["int8"]["srcc"]["value"]
    default = "int8" if loss <= MAX_LOSS and speed["int8 / fp32"] < 1 else "fp32"
    alignment = compare_alignment(ratings, scores.alignment, scores.int8[:, 0], np.array(cache.frozen))
    return {
        "images": len(ratings),
        "prompts": len(np.unique(ratings.prompt)),
        "default": default,
        "quality": variants,
        "int8Loss": loss,
        "generatorMean": metrics.srcc(_generator_means(ratings), ratings.quality),
        "trainingSeconds": {name: _seconds(work / name / "net.pt") for name in ("fold0", "full")},
        "alignment": {"candidates": alignment, "shipped": worth_shipping(alignment)},
        "unseen": {
            "frozen": unseen_frozen(ratings, cache, config.ridge),
            "tuned": unseen_tuned(ratings, cache, work),
        },
        "degradation": {
            "heldOut fp32": ladder_table(ratings, scores, scores.fp32, scores.ladder_fp32),
            "heldOut int8": ladder_table(ratings, scores, scores.int8, scores.ladder_int8),
            "shipped int8": ladder_table(ratings, scores, scores.int8, scores.shipped_int8),
        },
        "speed": speed,
    }


def quality_table(ratings: Ratings, raw: np.ndarray) -> dict:
    """Agreement of out-of-fold raw outputs [N, 2] with quality ratings; pooled figures with intervals."""
    rated, generator, prompt = ratings.quality, ratings.generator, ratings.prompt
    found = cross_fitted(raw, rated, ratings.fold)
    score, low, high = found["score"], found["low"], found["high"]
    pooled = {name: getattr(metrics, name) for name in ("srcc", "plcc", "krcc", "rmse")}
    table = {
        name: _with_interval(lambda rows, f=measure: f(score[rows], rated[rows]), prompt)
        for name, measure in pooled.items()
    }
    table["rawPlcc"] = metrics.plcc(raw[:, 0], rated)
    table["within"] = metrics.within(score, rated, generator)
    table["withinMean"] = _with_interval(
        lambda rows: metrics.within_mean(score[rows], rated[rows], generator[rows]), prompt
    )
    table["coverage"] = {
        "target": COVERAGE,
        "value": metrics.covered(rated, low, high),
        "meanWidth": float(np.mean(high - low)),
        "generators": {
            str(g): metrics.covered(*(v[generator == g] for v in (rated, low, high)))
            for g in np.unique(generator)
        },
    }
    table["coverage"]["spreadSrcc"] = metrics.srcc(raw[:, 1], np.abs(rated - score))
    family = np.flatnonzero(np.isin(generator, FAMILIES["SD1.5"]))
    best = lambda rows: metrics.best_of(score, rated, prompt, family[rows])  # noqa: E731
    table["bestOf4"] = best(np.arange(len(family)))
    table["bestOf4"]["gainCi"] = metrics.interval(lambda rows: best(rows)["gain"], prompt[family], 300)
    return table


def ladder_table(ratings: Ratings, scores: Scores, raw: np.ndarray, ladder: np.ndarray) -> dict:
    """Share of steps (original, mild, middle, heavy) at which the calibrated score falls, and mean scores.

    `raw` [N, 2] fits the calibration; `ladder` [R, kinds, 4, 2] are the raw outputs of degraded copies.
    """
    calibration = fit(raw, ratings.quality)
    score = calibration.score(ladder[..., 0].astype(np.float64))
    falls = score[:, :, 1:] < score[:, :, :-1]
    below = score[:, :, 1:] < score[:, :, :1]
    return {
        "images": len(scores.rows),
        "steps": float(falls.mean()),
        "belowOriginal": float(below.mean()),
        "kinds": {
            kind: {
                "strengths": list(strengths),
                "steps": falls[:, index].mean(0).tolist(),
                "meanScores": score[:, index].mean(0).tolist(),
            }
            for index, (kind, strengths) in enumerate(LADDERS.items())
        },
    }


def speed_ratios(folder: Path, pixels: np.ndarray, rounds: int = 30) -> dict:
    """Median milliseconds per image on one thread, fp32 and int8 taking turns, and their ratio."""
    sessions = {name: open_session(folder / f"{name}.onnx") for name in ("fp32", "int8")}
    times: dict[str, list[float]] = {name: [] for name in sessions}
    for _ in range(rounds):
        for name, session in sessions.items():
            started = time.perf_counter()
            session.run(None, {"image": pixels})
            times[name].append(1000 * (time.perf_counter() - started))
    median = {f"{name} ms": statistics.median(values[3:]) for name, values in times.items()}
    return {**median, "int8 / fp32": median["int8 ms"] / median["fp32 ms"]}


def _generator_means(ratings: Ratings) -> np.ndarray:
    """[N] the mean rating of each image's generator: a predictor that never looks at the image."""
    means = np.empty(len(ratings))
    for name in np.unique(ratings.generator):
        means[ratings.generator == name] = ratings.quality[ratings.generator == name].mean()
    return means


def _seconds(path: Path) -> float:
    return torch.load(path, weights_only=True)["seconds"]


def _with_interval(measure, prompt: np.ndarray) -> dict:
    return {"value": measure(np.arange(len(prompt))), "ci": metrics.interval(measure, prompt)}
