"""The figures that choices are made on, and nothing else: no image is judged by heads that saw its prompt.

Five folds of prompts, several seeds; leave one generator family out; choosing among four; damage; foreign
prompts. The tower never saw a rated image. Every figure carries a bootstrap interval over prompts and,
where the last shipped scorer's out-of-fold scores are at hand, the paired difference to it.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from assay_training import metrics
from assay_training.calibration import COVERAGE, Calibration, cross_fitted, fit
from assay_training.data import FAMILIES, FOLDS, Ratings
from assay_training.tower.features import LADDERS, Features
from assay_training.tower.heads import Heads, Settings, Table, fit_heads, project

SEEDS = (0, 1)
DRAWS = 300
SHOWN = 2.5  # alignment from which an image counts as showing its prompt
DOMAIN_SHARE = 0.99  # of the rated images, when new to the heads, lie inside the domain


@dataclass(frozen=True)
class Held:
    """What heads say of images they were not fitted on; S seeds, N images.

    quality, alignment [S, N, 2] (mean, spread); wins [S, N] share of other held-out prompts that align worse
    (NaN for images below SHOWN); foreignness [S, N]; pictures [S, FOLDS, PICTURES] that of unrated ones;
    ladders [S, R, kinds, 4] quality of the original and three steps; noise [S, FOLDS, K] quality of pictures
    without content; unseen [S, N, 2] quality without the image's family, unseen_alignment [S, N] likewise.
    """

    quality: np.ndarray
    alignment: np.ndarray
    wins: np.ndarray
    foreignness: np.ndarray
    pictures: np.ndarray
    ladders: np.ndarray
    noise: np.ndarray
    unseen: np.ndarray
    unseen_alignment: np.ndarray

    def save(self, path: Path) -> None:
        np.savez_compressed(path, **self.__dict__)

    @staticmethod
    def load(path: Path) -> Held:
        with np.load(path) as stored:
            return Held(**stored)


def hold_out(ratings: Ratings, features: Features, prompts: np.ndarray, settings: Settings) -> Held:
    """Fits the heads anew for every seed, fold and family, and applies them to what was left out."""
    count, shape = len(ratings), (len(SEEDS), len(ratings))
    held = Held(
        quality=np.empty((*shape, 2)),
        alignment=np.empty((*shape, 2)),
        wins=np.full(shape, np.nan),
        foreignness=np.empty(shape),
        pictures=np.empty((len(SEEDS), FOLDS, len(features.pictures))),
        ladders=np.empty((len(SEEDS), len(features.rows), len(LADDERS), 4)),
        noise=np.empty((len(SEEDS), FOLDS, len(features.noise) - len(features.noise) // 2)),
        unseen=np.empty((*shape, 2)),
        unseen_alignment=np.empty(shape),
    )
    table = Table(ratings.quality, ratings.alignment, prompts, ratings.fold)
    for fold in range(FOLDS):
        test, rows = (np.flatnonzero((ratings.fold == fold) == inside) for inside in (True, False))
        projection = project(features, rows, settings)
        for place, seed in enumerate(SEEDS):
            heads = fit_heads(features, table, rows, settings, seed, projection)
            _apply(held, place, fold, test, heads, ratings, features, prompts)
        print(f"protocol: fold {fold} done", flush=True)
    family = ratings.family()
    for name in FAMILIES:
        test, rows = (np.flatnonzero((family == name) == inside) for inside in (True, False))
        if 0 < len(test) < count:
            projection = project(features, rows, settings)
            for place, seed in enumerate(SEEDS):
                heads = fit_heads(features, table, rows, settings, seed, projection)
                response = heads.respond(features.plain[test])
                held.unseen[place, test] = heads.quality(response)
                held.unseen_alignment[place, test] = heads.alignment(response, prompts[test])[:, 0]
            print(f"protocol: without {name} done", flush=True)
    return held


def _apply(
    held: Held, place: int, fold: int, test, heads: Heads, ratings: Ratings, features: Features, prompts
):
    response = heads.respond(features.plain[test])
    held.quality[place, test] = heads.quality(response)
    held.alignment[place, test] = heads.alignment(response, prompts[test])
    held.foreignness[place, test] = heads.foreignness(features.plain[test])
    for position, row in enumerate(test):
        if ratings.alignment[row] >= SHOWN:
            held.wins[place, row] = _wins(heads, response[position], row, test, ratings, prompts)
    here = np.flatnonzero(np.isin(features.rows, test))
    if len(here):
        steps = np.asarray(features.ladders[here]).reshape(-1, features.ladders.shape[-1])
        found = heads.quality(heads.respond(steps))[:, 0].reshape(len(here), len(LADDERS), 3)
        original = held.quality[place, features.rows[here], 0][:, None, None]
        held.ladders[place, here] = np.concatenate(
            [np.broadcast_to(original, (*found.shape[:2], 1)), found], 2
        )
    held.pictures[place, fold] = heads.foreignness(features.pictures)
    held.noise[place, fold] = heads.quality(heads.respond(features.noise[1::2]))[:, 0]


def _wins(heads: Heads, response: np.ndarray, row: int, test: np.ndarray, ratings: Ratings, prompts) -> float:
    """Share of the other prompts of the fold with which the same image is judged to align worse."""
    others = {str(ratings.prompt[other]): prompts[other] for other in test}
    own = others.pop(str(ratings.prompt[row]))
    tried = np.stack([own, *others.values()])
    scores = heads.alignment(np.repeat(response[None], len(tried), 0), tried)[:, 0]
    return float((scores[0] > scores[1:]).mean())


def measure(ratings: Ratings, features: Features, held: Held, last: dict[str, np.ndarray] | None) -> dict:
    """All figures as plain JSON values (2 minutes, mostly bootstrap draws). `last`: see read_predictions."""
    rated, aligned = ratings.quality, ratings.alignment
    results = {
        "images": len(ratings),
        "prompts": len(np.unique(ratings.prompt)),
        "seeds": list(SEEDS),
        "generatorMean": metrics.srcc(_generator_means(ratings), rated),
        "quality": _aspect(ratings, held.quality, rated, last and last.get("quality")),
        "alignment": _aspect(ratings, held.alignment, aligned, None),
        "unseen": _unseen(ratings, held.unseen[..., 0], rated, last and last.get("unseen")),
        "unseenAlignment": _unseen(ratings, held.unseen_alignment, aligned, None),
        "rightPrompt": _over_prompts(ratings, lambda rows, s: float(np.nanmean(held.wins[s, rows]))),
        "damage": _damage(features, held, ratings),
    }
    results["alignment"]["qualityInItsPlace"] = {
        "srcc": float(np.mean([metrics.srcc(q[:, 0], aligned) for q in held.quality])),
        "within": float(
            np.mean([metrics.within_mean(q[:, 0], aligned, ratings.generator) for q in held.quality])
        ),
    }
    return results


def _aspect(ratings: Ratings, raw: np.ndarray, rated: np.ndarray, last: np.ndarray | None) -> dict:
    """Agreement of raw [S, N, 2] with ratings [N]: pooled, inside generators, best of four, intervals."""
    found = [cross_fitted(part, rated, ratings.fold) for part in raw]
    score = np.stack([part["score"] for part in found])
    generator = ratings.generator
    measures = {
        "srcc": lambda s, rows: metrics.srcc(s[rows], rated[rows]),
        "plcc": lambda s, rows: metrics.plcc(s[rows], rated[rows]),
        "krcc": lambda s, rows: metrics.krcc(s[rows], rated[rows]),
        "rmse": lambda s, rows: metrics.rmse(s[rows], rated[rows]),
        "withinMean": lambda s, rows: metrics.within_mean(s[rows], rated[rows], generator[rows]),
        "bestOf4": lambda s, rows: _best_of_4(ratings, s, rated, rows),
    }
    table = {
        name: _over_prompts(ratings, lambda rows, s, f=measure: f(score[s], rows), _other(last, measure))
        for name, measure in measures.items()
    }
    table["within"] = {
        name: float(np.mean([metrics.srcc(s[generator == name], rated[generator == name]) for s in score]))
        for name in np.unique(generator).tolist()
    }
    table["coverage"] = _coverage(ratings, found, rated, raw)
    return table


def _other(last: np.ndarray | None, measure: Callable) -> Callable[[np.ndarray], float] | None:
    return None if last is None else lambda rows: measure(last, rows)


def _over_prompts(
    ratings: Ratings, measure: Callable[[np.ndarray, int], float], last: Callable | None = None
) -> dict:
    """Mean over seeds, their values, an interval; with `last` the paired difference to it and its own."""
    everything = np.arange(len(ratings))

    def mean(rows: np.ndarray) -> float:
        return float(np.mean([measure(rows, place) for place in range(len(SEEDS))]))

    seeds = [measure(everything, place) for place in range(len(SEEDS))]
    entry = {"value": mean(everything), "seeds": seeds, "ci": metrics.interval(mean, ratings.prompt, DRAWS)}
    if last:
        entry["gain"] = {
            "value": mean(everything) - last(everything),
            "ci": metrics.interval(lambda rows: mean(rows) - last(rows), ratings.prompt, DRAWS),
        }
    return entry


def _best_of_4(ratings: Ratings, score: np.ndarray, rated: np.ndarray, rows: np.ndarray) -> float:
    """Share of what choosing among four SD 1.5 images of a prompt can gain."""
    rows = rows[np.isin(ratings.generator[rows], FAMILIES["SD1.5"])]
    return metrics.best_of(score, rated, ratings.prompt, rows)["gain"] if len(rows) else 0.0


def _coverage(ratings: Ratings, found: list[dict], rated: np.ndarray, raw: np.ndarray) -> dict:
    def share(rows: np.ndarray) -> float:
        return float(np.mean([metrics.covered(rated[rows], p["low"][rows], p["high"][rows]) for p in found]))

    generators = {
        name: share(np.flatnonzero(ratings.generator == name))
        for name in np.unique(ratings.generator).tolist()
    }
    errors = [np.abs(rated - part["score"]) for part in found]
    return {
        "target": COVERAGE,
        "value": share(np.arange(len(ratings))),
        "worst": min(generators.values()),
        "generators": generators,
        "meanWidth": float(np.mean([part["high"] - part["low"] for part in found])),
        "spreadSrcc": float(np.mean([metrics.srcc(r[:, 1], e) for r, e in zip(raw, errors, strict=True)])),
    }


def _unseen(ratings: Ratings, predicted: np.ndarray, rated: np.ndarray, last: np.ndarray | None) -> dict:
    """Each image judged without its generator family; its prompt was seen with other generators."""
    family = ratings.family()
    pooled = lambda s, rows: metrics.srcc(s[rows], rated[rows])  # noqa: E731
    inside = lambda s, rows: metrics.within_mean(s[rows], rated[rows], ratings.generator[rows])  # noqa: E731
    return {
        "families": {
            name: float(np.mean([pooled(s, np.flatnonzero(family == name)) for s in predicted]))
            for name in FAMILIES
            if (family == name).any()
        },
        "pooled": _over_prompts(ratings, lambda rows, s: pooled(predicted[s], rows), _other(last, pooled)),
        "within": _over_prompts(ratings, lambda rows, s: inside(predicted[s], rows), _other(last, inside)),
    }


def _damage(features: Features, held: Held, ratings: Ratings) -> dict:
    """Steps that lower the score, and where damaged copies of good images land among all images."""
    kinds, steps, percentiles = list(LADDERS), [], []
    noise = []
    for place in range(len(SEEDS)):
        ladder = held.ladders[place]
        steps.append((ladder[..., 1:] < ladder[..., :-1]).mean(0))
        known = np.sort(held.quality[place, :, 0])
        percentiles.append(np.searchsorted(known, ladder).mean(0) / len(known))
        noise.append(np.searchsorted(known, held.noise[place]).mean() / len(known))
    falls, places = np.mean(steps, 0), np.mean(percentiles, 0)
    return {
        "images": len(features.rows),
        "steps": float(falls.mean()),
        "kinds": {
            kind: {
                "strengths": list(LADDERS[kind]),
                "steps": falls[index].tolist(),
                "percentiles": places[index].tolist(),
            }
            for index, kind in enumerate(kinds)
        },
        "noisePercentile": float(np.mean(noise)),
    }


def calibrations(ratings: Ratings, held: Held) -> dict[str, Calibration]:
    """What ships: fitted to the out-of-fold outputs of the first seed."""
    return {
        "quality": fit(held.quality[0], ratings.quality),
        "alignment": fit(held.alignment[0], ratings.alignment),
    }


def domain_limit(held: Held) -> float:
    """The foreignness that DOMAIN_SHARE of the images new to the heads stay below, rated or not.

    The unrated ones are there because what people make today is not what was rated then.
    """
    return float(max(np.quantile(found, DOMAIN_SHARE) for found in (held.foreignness, held.pictures)))


def write_predictions(path: Path, ratings: Ratings, held: Held) -> None:
    """Out-of-fold scores per image, so that the next scorer can be compared with this one, paired.

    As in `measure`, quality and alignment are calibrated on the other folds, and unseen is raw.
    """
    columns = [
        cross_fitted(held.quality[0], ratings.quality, ratings.fold)["score"],
        cross_fitted(held.alignment[0], ratings.alignment, ratings.fold)["score"],
        held.unseen[0, :, 0],
    ]
    rows = [
        [name, *(f"{value:.4f}" for value in values)]
        for name, *values in zip(ratings.name, *columns, strict=True)
    ]
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([["name", "quality", "alignment", "unseen"], *rows])


def read_predictions(path: Path, ratings: Ratings) -> dict[str, np.ndarray] | None:
    """Columns of another scorer's file in the order of the ratings, or None if there is no such file."""
    if not path.is_file():
        return None
    with path.open(newline="", encoding="utf-8") as file:
        found = {row["name"]: row for row in csv.DictReader(file)}
    columns = [key for key in next(iter(found.values())) if key != "name"]
    return {key: np.array([float(found[str(name)][key]) for name in ratings.name]) for key in columns}


def _generator_means(ratings: Ratings) -> np.ndarray:
    """[N] the mean rating of each image's generator: a predictor that never looks at the image."""
    means = np.empty(len(ratings))
    for name in np.unique(ratings.generator):
        means[ratings.generator == name] = ratings.quality[ratings.generator == name].mean()
    return means
