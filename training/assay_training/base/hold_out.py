"""Fits the heads anew for every seed, fold and family, and applies them to what was left out."""

from __future__ import annotations

import numpy as np

from assay_training.base.changes import SHAPE_PAIRS, WOBBLE
from assay_training.base.clip import Judge
from assay_training.base.features import FOREIGN
from assay_training.base.fit import Features, fit_heads, project, there
from assay_training.base.guard import Guard, fit_guard
from assay_training.base.heads import Heads, Seen, Settings, Table
from assay_training.base.held import Held
from assay_training.data import FAMILIES, FOLDS, Ratings
from assay_training.tower.features import LADDERS
from assay_training.tower.protocol import SHOWN

SEEDS = (0, 1)


def hold_out(
    ratings: Ratings,
    features: Features,
    judges: tuple[Judge, ...],
    table: Table,
    rows: np.ndarray,
    settings: Settings,
) -> Held:
    """`rows` [R] are the images with ladders and changed copies."""
    count, seeds = len(ratings), len(SEEDS)
    nan = lambda *shape: np.full((seeds, *shape), np.nan)  # noqa: E731
    noise = len(features["noise"]) - len(features["noise"]) // 2
    held = Held(
        quality=nan(count, 2),
        alignment=nan(count, 2),
        unseen=nan(count, 2),
        unseen_alignment=nan(count),
        wins=nan(count),
        wrong=nan(count),
        foreignness=nan(count),
        ladders=nan(len(rows), len(LADDERS), 4),
        wobble=nan(len(rows), len(WOBBLE)),
        shapes=nan(len(rows), 2 * len(SHAPE_PAIRS) + 1),
        noise=nan(FOLDS, noise),
        pictures=nan(FOLDS, len(features["pictures"]), 2),
        drawn=nan(FOLDS, len(features["new"]), 2),
    )
    for fold in range(FOLDS):
        test, train = (np.flatnonzero((ratings.fold == fold) == inside) for inside in (True, False))
        projection = project(features, train, settings)
        for place, seed in enumerate(SEEDS):
            heads = fit_heads(features, judges, table, train, settings, seed, projection)
            _apply(held, place, fold, test, train, heads, ratings, features, table, rows)
        print(f"protocol: fold {fold} done", flush=True)
    family = ratings.family()
    for name in FAMILIES:
        test, train = (np.flatnonzero((family == name) == inside) for inside in (True, False))
        if not 0 < len(test) < count:
            continue
        projection = project(features, train, settings)
        for place, seed in enumerate(SEEDS):
            heads = fit_heads(features, judges, table, train, settings, seed, projection)
            seen = Seen.of(features["plain"][test])
            held.unseen[place, test] = heads.quality(seen)
            held.unseen_alignment[place, test] = heads.alignment(
                seen, heads.words.wanted(table.meaning[test])
            )[:, 0]
        print(f"protocol: without {name} done", flush=True)
    return held


def guard_of(features: Features, rows: np.ndarray, heads: Heads) -> Guard:
    """The guard of heads that were fitted to `rows`; half of the unrated pictures are usual ones, too."""
    same = features["harmless"][there(features["harmless"], rows)]
    usual = Seen.of(np.concatenate([features["plain"][rows], same, features["pictures"][::2]]))
    seen = Seen.of(features["seen"]).embedding
    squares = np.square(heads.projection.standardised(usual.statistics)).mean(1)
    return fit_guard(usual.embedding, np.split(seen, len(seen) // FOREIGN), squares)


def _apply(
    held: Held,
    place: int,
    fold: int,
    test,
    train,
    heads: Heads,
    ratings: Ratings,
    features,
    table: Table,
    rows,
):
    seen = Seen.of(features["plain"][test])
    guard = guard_of(features, train, heads)
    held.quality[place, test] = heads.quality(seen)
    held.alignment[place, test] = heads.alignment(seen, heads.words.wanted(table.meaning[test]))
    held.foreignness[place, test] = guard.foreignness(seen.embedding, seen.statistics, heads.projection)
    _wrong_prompts(held, place, test, heads, seen, ratings, table)
    here = np.flatnonzero(np.isin(rows, test))
    original = held.quality[place, rows[here], 0][:, None, None]
    ladders = _of_copies(heads, features["ladders"], here, (len(LADDERS), 3))
    held.ladders[place, here] = np.concatenate(
        [np.broadcast_to(original, (*ladders.shape[:2], 1)), ladders], 2
    )
    held.wobble[place, here] = _of_copies(heads, features["wobble"], here, (held.wobble.shape[2],))
    held.shapes[place, here] = _of_copies(heads, features["shapes"], here, (held.shapes.shape[2],))
    held.noise[place, fold] = heads.quality(Seen.of(features["noise"][1::2]))[:, 0]
    for name, kept in (("pictures", held.pictures), ("new", held.drawn)):
        other = Seen.of(features[name])
        kept[place, fold, :, 0] = heads.quality(other)[:, 0]
        kept[place, fold, :, 1] = guard.foreignness(other.embedding, other.statistics, heads.projection)


def _of_copies(heads: Heads, features: np.ndarray, places: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Quality of all copies of some of the images, [places, *shape]."""
    each = int(np.prod(shape))
    wanted = (places[:, None] * each + np.arange(each)).ravel()
    return heads.quality(Seen.of(features[wanted]))[:, 0].reshape(len(places), *shape)


def _wrong_prompts(
    held: Held, place: int, test, heads: Heads, seen: Seen, ratings: Ratings, table: Table
) -> None:
    """Images that show their prompt, with the other prompts of the fold."""
    names, first = np.unique(ratings.prompt[test], return_index=True)
    wanted, found = heads.words.wanted(table.meaning[test[first]]), heads.judge(seen)
    scores = np.stack([heads.aligned(found, seen, one[None]) for one in wanted], 1)
    own = ratings.prompt[test][:, None] == names
    right, others = scores[own], np.where(own, np.nan, scores)
    shown = ratings.alignment[test] >= SHOWN
    lower = np.where(own, np.nan, right[:, None] > scores)
    held.wins[place, test[shown]] = np.nanmean(lower, 1)[shown]
    held.wrong[place, test[shown]] = np.nanmean(others, 1)[shown]
