"""The figures that choices are made on, and nothing else: no image is judged by heads that saw its prompt.

Five folds of prompts, several seeds; leave one generator family out; choosing among four; damage; foreign
prompts. The tower never saw a rated image. Every figure carries a bootstrap interval over prompts and,
where the last shipped scorer's out-of-fold scores are at hand, the paired difference to it.
"""

from __future__ import annotations

import numpy as np

from assay_training import metrics
from assay_training.calibration import COVERAGE, Calibration, cross_fitted, fit
from assay_training.data import FAMILIES, FOLDS, Ratings
from assay_training.tower.agreement import agreement, over_prompts
from assay_training.tower.features import LADDERS, Features
from assay_training.tower.heads import Heads, Settings, Table, fit_heads, project
from assay_training.tower.held import Held

SEEDS = (0, 1)
SHOWN = 2.5  # alignment from which an image counts as showing its prompt
DOMAIN_SHARE = 0.99  # of the rated images, when new to the heads, lie inside the domain


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
        "generatorMean": metrics.srcc(generator_means(ratings), rated),
        "quality": aspect_table(ratings, held.quality, rated, last and last.get("quality")),
        "alignment": aspect_table(ratings, held.alignment, aligned, None),
        "unseen": unseen_table(ratings, held.unseen[..., 0], rated, last and last.get("unseen")),
        "unseenAlignment": unseen_table(ratings, held.unseen_alignment, aligned, None),
        "rightPrompt": over_prompts(ratings, held.wins, lambda wins, rows: float(np.nanmean(wins[rows]))),
        "damage": damage_table(held, len(features.rows)),
    }
    results["alignment"]["qualityInItsPlace"] = {
        "srcc": float(np.mean([metrics.srcc(q[:, 0], aligned) for q in held.quality])),
        "within": float(
            np.mean([metrics.within_mean(q[:, 0], aligned, ratings.generator) for q in held.quality])
        ),
    }
    return results


def aspect_table(ratings: Ratings, raw: np.ndarray, rated: np.ndarray, last: np.ndarray | None) -> dict:
    """Agreement of raw [S, N, 2] with ratings [N], and how many of them its intervals hold."""
    found = [cross_fitted(part, rated, ratings.fold) for part in raw]
    table = agreement(ratings, np.stack([part["score"] for part in found]), rated, last)
    return table | {"coverage": _coverage(ratings, found, rated, raw)}


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


def unseen_table(ratings: Ratings, predicted: np.ndarray, rated: np.ndarray, last: np.ndarray | None) -> dict:
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
        "pooled": over_prompts(ratings, predicted, pooled, last),
        "within": over_prompts(ratings, predicted, inside, last),
    }


def damage_table(held: Held, images: int) -> dict:
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
        "images": images,
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


def generator_means(ratings: Ratings) -> np.ndarray:
    """[N] the mean rating of each image's generator: a predictor that never looks at the image."""
    means = np.empty(len(ratings))
    for name in np.unique(ratings.generator):
        means[ratings.generator == name] = ratings.quality[ratings.generator == name].mean()
    return means
