"""All figures of the protocol as plain JSON values, with bootstrap intervals, paired to the last scorer."""

from __future__ import annotations

import numpy as np

from assay_training import metrics
from assay_training.base.changes import SHAPE_PAIRS, WOBBLE
from assay_training.base.features import FOREIGN
from assay_training.base.foreign import KINDS, TURNED
from assay_training.base.held import Held
from assay_training.base.hold_out import SEEDS
from assay_training.base.policy import policy_table
from assay_training.calibration import Calibration, cross_fitted, fit
from assay_training.data import Ratings
from assay_training.tower.agreement import over_prompts
from assay_training.tower.protocol import aspect_table, damage_table, generator_means, unseen_table

Last = dict[str, np.ndarray]
GOOD = 0.6  # quantile of rated quality from which an image counts as good
WEIGHTS = {"quality": 1.0, "alignment": 1.0}


def measure(ratings: Ratings, held: Held, rows: np.ndarray, last: Last) -> dict:
    """`last`: see read_predictions (2 minutes, mostly bootstrap draws)."""
    rated, aligned = ratings.quality, ratings.alignment
    unseen = held.unseen_alignment
    return {
        "images": len(ratings),
        "prompts": len(np.unique(ratings.prompt)),
        "seeds": list(SEEDS),
        "generatorMean": metrics.srcc(generator_means(ratings), rated),
        "quality": aspect_table(ratings, held.quality, rated, last.get("quality")),
        "alignment": aspect_table(ratings, held.alignment, aligned, last.get("alignment")),
        "unseen": unseen_table(ratings, held.unseen[..., 0], rated, last.get("unseen")),
        "unseenAlignment": unseen_table(ratings, unseen, aligned, None),
        "rightPrompt": over_prompts(ratings, held.wins, lambda wins, rows: float(np.nanmean(wins[rows]))),
        "damage": damage_table(held, len(rows)),
        "wobble": wobble_table(ratings, held, rows),
        "shapes": shape_table(ratings, held, rows),
        "foreign": foreign_table(ratings, held),
        "policy": policy_table(ratings, held.quality[0], held.foreignness[0]),
        "reward": reward_table(ratings, held),
    }


def wobble_table(ratings: Ratings, held: Held, rows: np.ndarray) -> dict:
    """How far harmless changes move quality: deviation over all, and the mean shift of each, in MOS."""
    calibrated = calibrations(ratings, held)["quality"]
    off = calibrated.score(held.wobble[0]) - calibrated.score(held.quality[0, rows, 0])[:, None]
    return {
        "images": len(rows),
        "deviation": float(np.sqrt((off**2).mean())),
        "changes": {
            name: {"shift": float(d.mean()), "deviation": float(d.std())}
            for name, d in zip(WOBBLE, off.T, strict=True)
        },
    }


def shape_table(ratings: Ratings, held: Held, rows: np.ndarray) -> dict:
    """Wide crops against square ones of the same area; and what squeezing to 9:16 does."""
    calibrated = calibrations(ratings, held)["quality"]
    found = calibrated.score(held.shapes[0])
    pairs = found[:, :-1].reshape(len(rows), len(SHAPE_PAIRS), 2)
    wide = pairs[..., 0] - pairs[..., 1]
    squeezed = found[:, -1] - calibrated.score(held.quality[0, rows, 0])
    columns = dict(zip(SHAPE_PAIRS, wide.T, strict=True)) | {"squeezed to 9:16": squeezed}
    return {name: {"shift": float(d.mean()), "deviation": float(d.std())} for name, d in columns.items()}


def foreign_table(ratings: Ratings, held: Held) -> dict:
    """What the guard notices of pictures drawn in another way than those it learnt from, and its
    false alarms."""
    known = np.sort(held.quality[0, :, 0])
    places = np.searchsorted(known, held.drawn[0, ..., 0]) / len(known)
    caught, low = held.drawn[0, ..., 1] > 1, places <= 0.1
    kinds = {}
    for number, name in enumerate([*KINDS, *TURNED]):
        own = slice(number * FOREIGN, (number + 1) * FOREIGN)
        kinds[name] = {
            "pictures": FOREIGN,
            "guard": float(caught[:, own].mean()),
            "noticed": float((caught | low)[:, own].mean()),
        }
    return {
        "kinds": kinds,
        "falseAlarms": float((held.foreignness[0] > 1).mean()),
        "unratedAlarms": float((held.pictures[0, :, 1::2, 1] > 1).mean()),
    }


def reward_table(ratings: Ratings, held: Held) -> dict:
    """The scale of the reward, and how it falls for good images that show their prompt when the prompt
    is another."""
    scores = {
        name: cross_fitted(raw[0], rated, ratings.fold)["score"]
        for name, raw, rated in (
            ("quality", held.quality, ratings.quality),
            ("alignment", held.alignment, ratings.alignment),
        )
    }
    standard = {name: {"mean": float(s.mean()), "deviation": float(s.std())} for name, s in scores.items()}
    good = ~np.isnan(held.wrong[0]) & (ratings.quality >= np.quantile(ratings.quality, GOOD))
    wrong = calibrations(ratings, held)["alignment"].score(np.nan_to_num(held.wrong[0]))

    def reward(alignment: np.ndarray) -> np.ndarray:
        parts = {"quality": scores["quality"], "alignment": alignment}
        z = sum(
            WEIGHTS[name] * (value - standard[name]["mean"]) / standard[name]["deviation"]
            for name, value in parts.items()
        ) / sum(WEIGHTS.values())
        return 1 / (1 + np.exp(-z * (1.5976 + 0.07056 * z * z)))

    right, other = reward(scores["alignment"])[good], reward(wrong)[good]
    return {
        "weights": WEIGHTS,
        "standard": standard,
        "images": int(good.sum()),
        "right": float(right.mean()),
        "wrong": float(other.mean()),
        "falls": float((other < right).mean()),
        "alignmentFall": float((scores["alignment"] - wrong)[good].mean()),
    }


def calibrations(ratings: Ratings, held: Held) -> dict[str, Calibration]:
    """What ships: fitted to the out-of-fold outputs of the first seed."""
    return {
        "quality": fit(held.quality[0], ratings.quality),
        "alignment": fit(held.alignment[0], ratings.alignment),
    }
