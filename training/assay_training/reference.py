"""Calibration of a scorer that was trained elsewhere: fitted to ratings, or none, and then the files say so.

Without ratings a score is the scorer's own number, its interval is the whole range, and its percentile is a
place among the scores of reference images.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from assay_training.calibration import COVERAGE, Calibration, conformal_scale, fit, fit_map
from assay_training.checkpoints import CheckpointError
from assay_training.data import MOS_RANGE, DataError, Ratings, load_ratings
from assay_training.degrade import DEGRADATIONS, degrade, strength_at
from assay_training.golden import PROMPTS, images_for
from assay_training.images import list_images, load_rgb
from assay_training.scorer import Scorer

MIN_IMAGES = 20
WHOLE = 1e9  # interval scale that spans every range, as the spread of a sharp distribution may be tiny
TINY = 1e-6  # smallest spread that an error is divided by
TOLD = 100  # images between two lines of progress
RATED = {"quality": "quality", "alignment": "alignment"}  # aspect to the column of its ratings

Item = tuple[Image.Image, str]  # a picture and its prompt


@dataclass(frozen=True)
class Fitted:
    """Calibration by aspect, and where it comes from.

    source: "ratings", "images" (any pictures, without prompts), "golden" (drawn ones and degraded copies) or
    "range" (none, where a language model would have to be asked: percentiles are places in the range).
    rated: the aspects fitted to ratings. blind: those scored with an empty prompt though they need one.
    """

    calibrations: dict[str, Calibration]
    source: str
    images: int
    rated: tuple[str, ...] = ()
    blind: tuple[str, ...] = ()

    def to_json(self) -> dict:
        """The contents of calibration.json."""
        aspects = {name: found.to_json() for name, found in self.calibrations.items()}
        return {"version": 1, "fittedOn": self.described(), "aspects": aspects}

    def described(self) -> str:
        """One line for calibration.json."""
        if self.source == "ratings":
            names = " and ".join(self.rated) or "no aspect"
            return f"{self.images} rated images ({names}); intervals from folds that the map did not see"
        if self.source == "range":
            return "no ratings, so scores are the scorer's own; percentiles are places in the range"
        of = "images" if self.source == "images" else "drawn test images and degraded copies of them"
        blind = f", scored with an empty prompt for {', '.join(self.blind)}" if self.blind else ""
        return f"no ratings, so scores are the scorer's own; percentiles among {self.images} {of}{blind}"


def identity(limits: tuple[float, float], scores: np.ndarray) -> Calibration:
    """Raw means are the scores; the interval always spans the range; quantiles of `scores` [N]."""
    ends = (float(limits[0]), float(limits[1]))
    found = np.quantile(np.clip(scores, *ends), np.linspace(0, 1, 101))
    steps = 1e-4 * np.arange(101)
    quantiles = np.maximum.accumulate(found - steps) + steps  # strictly rising: a score has one percentile
    return Calibration(ends, ends, WHOLE, tuple(quantiles.round(6).tolist()), ends, 1.0)


def calibrate(scorer: Scorer, images: Path | None, ratings: Path | None, most: int | None = None) -> Fitted:
    """Calibration from ratings, from pictures or, without either, from the golden images, `most` of them.

    Raises CheckpointError or DataError if they are too few or say nothing about the scores.
    """
    if ratings:
        return _from_ratings(scorer, load_ratings(ratings))
    if images:
        return _from_pictures(scorer, images)
    if scorer.manifest.get("language"):
        ranges = {name: aspect["range"] for name, aspect in scorer.aspects.items()}
        return Fitted({name: identity(ends, np.array(ends)) for name, ends in ranges.items()}, "range", 0)
    golden = list(_degraded(images_for(scorer.manifest)))
    golden = _evenly(golden, most or len(golden))
    return Fitted(_identities(scorer.aspects, _raws(scorer, golden)), "golden", len(golden))


def sample(manifest: dict, images: Path | None, ratings: Path | None, most: int) -> list[Item]:
    """At most `most` of the pictures that `calibrate` scores, evenly taken from all of them."""
    if ratings:
        rated = load_ratings(ratings)
        rows = _evenly(range(len(rated)), most)
        return [(load_rgb(rated.path(row)), str(rated.prompt[row])) for row in rows]
    if images:
        return [(load_rgb(path), "") for path in _evenly(list_images(images), most)]
    return _evenly(list(_degraded(images_for(manifest))), most)


def _evenly(found: Sequence, most: int) -> list:
    return [found[i * len(found) // most] for i in range(most)] if len(found) > most else list(found)


def _from_pictures(scorer: Scorer, folder: Path) -> Fitted:
    paths = list_images(folder)
    if len(paths) < MIN_IMAGES:
        raise CheckpointError(f"{folder}: expected at least {MIN_IMAGES} pictures, found {len(paths)}")
    raws = _raws(scorer, ((load_rgb(path), "") for path in paths))
    blind = tuple(name for name, aspect in scorer.aspects.items() if aspect["needsPrompt"])
    return Fitted(_identities(scorer.aspects, raws), "images", len(paths), blind=blind)


def _from_ratings(scorer: Scorer, ratings: Ratings) -> Fitted:
    folds = np.unique(ratings.fold)
    if len(ratings) < MIN_IMAGES or len(folds) < 2:
        raise DataError(
            f"{ratings.folder}: expected at least {MIN_IMAGES} images in 2 folds, "
            f"found {len(ratings)} in {len(folds)}"
        )
    items = ((load_rgb(ratings.path(row)), str(ratings.prompt[row])) for row in range(len(ratings)))
    raws = _raws(scorer, items)
    found = _identities(scorer.aspects, raws)
    rated = {name: getattr(ratings, column) for name, column in RATED.items() if name in raws}
    found |= {name: _fit(name, raws[name], values, ratings.fold) for name, values in rated.items()}
    return Fitted(found, "ratings", len(ratings), rated=tuple(rated))


def _fit(aspect: str, raw: np.ndarray, rated: np.ndarray, fold: np.ndarray) -> Calibration:
    """Map and quantiles of all images; interval from errors of maps that did not see the image's fold."""
    means, spreads = raw[:, 0].astype(np.float64), np.maximum(raw[:, 1], TINY)
    if len(np.unique(means.round(6))) < MIN_IMAGES:
        raise CheckpointError(f"{aspect}: rated images get too few different scores to fit anything to them")
    errors = np.empty(len(raw))
    for number in np.unique(fold):
        test = fold == number
        x, y = fit_map(means[~test], rated[~test], MOS_RANGE)
        score = Calibration(x, y, 1.0, (0.0, 1.0), MOS_RANGE).score(means[test])
        errors[test] = np.abs(rated[test] - score)
    whole = fit(np.stack([means, spreads], 1), rated, MOS_RANGE)
    scale = round(conformal_scale(errors / spreads, COVERAGE), 4)
    return Calibration(whole.x, whole.y, scale, whole.quantiles, MOS_RANGE)


def _identities(aspects: dict, raws: dict[str, np.ndarray]) -> dict[str, Calibration]:
    return {name: identity(aspects[name]["range"], raw[:, 0]) for name, raw in raws.items()}


def _raws(scorer: Scorer, items: Iterable[Item]) -> dict[str, np.ndarray]:
    """Each aspect's raw outputs [N, 2], image by image."""
    rows: dict[str, list[np.ndarray]] = {name: [] for name in scorer.aspects}
    for number, (image, prompt) in enumerate(items, 1):
        inputs = {name: values[None] for name, values in scorer.inputs(image).items()}
        for name, raw in scorer.raw(inputs, prompt).items():
            rows[name].append(raw[0])
        if number % TOLD == 0:
            print(f"calibration: {number} images scored", flush=True)
    return {name: np.stack(found) for name, found in rows.items()}


def _degraded(golden: dict[str, Image.Image]) -> Iterator[Item]:
    """Each image with its prompt, as it is and in one copy of each kind of degradation."""
    rng = np.random.default_rng(0)
    for name, image in golden.items():
        yield image, PROMPTS.get(name, "")
        for kind in DEGRADATIONS:
            yield degrade(image, kind, strength_at(kind, 0.5), rng), PROMPTS.get(name, "")
