"""Asks whether this net can judge how well an image shows its prompt, or only how good it looks."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import numpy as np

from assay_training.data import Ratings
from assay_training.metrics import interval, srcc, within_mean
from assay_training.ridge import ridge

WORDS = 256  # buckets of the hashed bag of words


def compare_alignment(
    ratings: Ratings, alignment: np.ndarray, quality: np.ndarray, frozen: np.ndarray
) -> dict:
    """Out-of-fold agreement with alignment ratings per candidate: SRCC pooled and within generator.

    `alignment`, `quality` [N] are out-of-fold predictions; `frozen` [N, D] features of the untrained net.
    """
    words = prompt_features(ratings.prompt)
    candidates = {
        "quality in its place": quality,
        "alignment head": alignment,
        "both heads + prompt": _stacked(ratings, np.column_stack([alignment, quality, words]), 30.0),
        "frozen features + prompt": _stacked(ratings, np.column_stack([frozen, words]), 3000.0),
    }
    return {name: _agreement(ratings, predicted, quality) for name, predicted in candidates.items()}


def worth_shipping(table: dict) -> bool:
    """Whether a score that knows the prompt clearly ranks better inside generators than quality does."""
    return any(entry["gain"]["ci"][0] > 0 for name, entry in table.items() if "prompt" in name)


def prompt_features(prompts: np.ndarray) -> np.ndarray:
    """[N, 3 + WORDS]: characters, words, commas, and a hashed bag of words."""
    features = np.zeros((len(prompts), 3 + WORDS), np.float32)
    for row, prompt in enumerate(prompts):
        words = str(prompt).lower().replace(",", " , ").split()
        features[row, :3] = len(prompt), len(words), words.count(",")
        for word in words:
            features[row, 3 + zlib.crc32(word.encode()) % WORDS] = 1
    return features


def _stacked(ratings: Ratings, features: np.ndarray, strength: float) -> np.ndarray:
    predicted = np.empty(len(ratings))
    for fold in np.unique(ratings.fold):
        test = ratings.fold == fold
        fit = ridge(features[~test], ratings.alignment[~test, None], strength)
        predicted[test] = fit.predict(features[test])[:, 0]
    return predicted


def _agreement(ratings: Ratings, predicted: np.ndarray, quality: np.ndarray) -> dict:
    def inside(values: np.ndarray, rows: np.ndarray) -> float:
        return within_mean(values[rows], ratings.alignment[rows], ratings.generator[rows])

    def gain(rows: np.ndarray) -> float:
        return inside(predicted, rows) - inside(quality, rows)

    everything = np.arange(len(ratings))
    return {
        "srcc": srcc(predicted, ratings.alignment),
        "within": _with_interval(lambda rows: inside(predicted, rows), ratings.prompt, everything),
        "gain": _with_interval(gain, ratings.prompt, everything),
    }


def _with_interval(measure: Callable, prompt: np.ndarray, everything: np.ndarray) -> dict:
    return {"value": measure(everything), "ci": interval(measure, prompt, 300)}
