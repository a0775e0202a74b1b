"""Written image descriptions as training targets: each becomes a short vector for a net to predict.

Cui et al., "M3-AGIQA", arXiv 2502.15167, publish a multimodal model's analysis of each AGIQA-3K image. The
texts were written with the rating in view, so they may only supervise training, never be an input.
"""

from __future__ import annotations

import json
import re
from itertools import pairwise

import numpy as np

from assay_training.data import DataError, Ratings

FIELDS = ("quality", "alignment")
MIN_IMAGES = 15  # rarer terms are ignored


def description_vectors(ratings: Ratings, rows: np.ndarray, size: int) -> np.ndarray:
    """[N, size] float32: latent semantic analysis (TF-IDF, then SVD) of each image's description.

    Vocabulary, weights and standardisation come from `rows` alone; there each component has variance 1.
    Raises DataError if descriptions.jsonl is missing or lacks an image.
    """
    counts = _counts(_texts(ratings), rows)
    present = (counts[rows] > 0).mean(0)
    weighted = np.log1p(counts) * np.log(1 / present)
    weighted /= np.linalg.norm(weighted, axis=1, keepdims=True) + 1e-9
    centred = weighted - weighted[rows].mean(0)
    # right singular vectors of the training part, by way of its (smaller) covariance
    _, vectors = np.linalg.eigh(centred[rows].T @ centred[rows])
    components = centred @ vectors[:, ::-1][:, :size]
    return (components / components[rows].std(0)).astype(np.float32)


def _counts(texts: list[list[str]], rows: np.ndarray) -> np.ndarray:
    """[N, V] term counts over the terms found in at least MIN_IMAGES of `rows`."""
    images: dict[str, int] = {}
    for row in rows:
        for term in set(texts[row]):
            images[term] = images.get(term, 0) + 1
    terms = sorted(term for term, number in images.items() if MIN_IMAGES <= number < 0.9 * len(rows))
    column = {term: index for index, term in enumerate(terms)}
    counts = np.zeros((len(texts), len(terms)))
    for row, text in enumerate(texts):
        for term in text:
            if term in column:
                counts[row, column[term]] += 1
    return counts


def _texts(ratings: Ratings) -> list[list[str]]:
    """Terms of each image: single words and pairs of neighbours, told apart by field."""
    path = ratings.folder / "descriptions.jsonl"
    if not path.is_file():
        raise DataError(
            f"{path}: file not found; expected one JSON object per image with {', '.join(FIELDS)}"
        )
    entries = {
        entry["name"]: entry for entry in map(json.loads, path.read_text(encoding="utf-8").splitlines())
    }
    missing = [name for name in ratings.name if name not in entries]
    if missing:
        raise DataError(f"{path}: no description of {missing[0]} ({len(missing)} missing)")
    return [[t for field in FIELDS for t in _terms(entries[name][field], field[0])] for name in ratings.name]


def _terms(text: str, prefix: str) -> list[str]:
    words = re.findall(r"[a-z]+", text.lower())
    pairs = [f"{left} {right}" for left, right in pairwise(words)]
    return [f"{prefix}:{term}" for term in (*words, *pairs)]
