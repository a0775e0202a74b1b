"""Fits the heads, closed-form: seconds a fit, so that the protocol can repeat it per fold, seed
and family."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from assay_training.base.clip import Judge
from assay_training.base.compress import SHAPE
from assay_training.base.features import DAMAGES, damage_of, harmless_of
from assay_training.base.heads import (
    LEVELS,
    OWN_LOSSES,
    TRUSTED_MORE,
    Heads,
    Seen,
    Settings,
    Table,
    Words,
    columns,
    doubts,
    squared,
    start,
)
from assay_training.tower.heads import FLOOR, MILD
from assay_training.tower.kernel import Kernel, Projection, fit_projection
from assay_training.tower.rounding import rounded
from assay_training.tower.words import unit

Features = Mapping[str, np.ndarray]


def there(features: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Those of the rows that have been computed."""
    return rows[~np.isnan(features[rows, -1])]


def project(features: Features, rows: np.ndarray, settings: Settings) -> Projection:
    """The part of the fit that takes longest and depends on neither ratings nor seed."""
    parts = [features["plain"][rows]]
    parts += [
        features[name][there(features[name], rows[at::3])] for at, name in enumerate(("damaged", "harmless"))
    ]
    seen = Seen.of(np.concatenate(parts))
    scale = seen.statistics.std(0) + 1e-6
    end, count = slice(SHAPE.stats, None), seen.embedding.shape[1]
    # one scale for the whole embedding, which keeps its shape
    scale[end] = np.sqrt(np.square(scale[end]).mean() * count / (settings.embedding_share * SHAPE.stats))
    for tap in range(len(SHAPE.taps) - 1):
        start = tap * SHAPE.stats // len(SHAPE.taps)  # class token, mean and deviation of the others
        scale[start : start + SHAPE.width] /= np.sqrt(settings.class_share)
    return fit_projection(seen.statistics, settings.components, scale)


def fit_heads(
    features: Features,
    judges: tuple[Judge, ...],
    table: Table,
    rows: np.ndarray,
    settings: Settings,
    seed: int,
    projection: Projection | None = None,
) -> Heads:
    """Fits everything on `rows`; images of other rows are not looked at. `projection`: see `project`."""
    projection = projection or project(features, rows, settings)
    rng = np.random.default_rng(seed)
    same, worse = (there(features[name], rows) for name in ("harmless", "damaged"))
    plain, changed, damaged = (
        Seen.of(features[name][of]) for name, of in (("plain", rows), ("harmless", same), ("damaged", worse))
    )
    known, *copies = (projection(part.statistics) for part in (plain, changed, damaged))
    kernel = Kernel(rounded(_landmarks(known, copies, settings.landmarks, rng), 8), settings.gamma)
    opinion, offset = np.column_stack([j.weight for j in judges]), np.array([j.bias for j in judges])
    opinions = plain.embedding @ opinion + offset
    basis = Basis(projection, kernel, opinion, offset, opinions.mean(0), opinions.std(0) + 1e-9, settings)
    own, again = basis(plain), basis(changed)
    place = {row: position for position, row in enumerate(rows.tolist())}
    first, source = ([place[row] for row in of.tolist()] for of in (same, worse))
    # a copy says how far it is from its original, whatever that is rated: its errors are the original's
    kept, lost = again - own[first], basis(damaged) - own[source]
    noise = basis(Seen.of(features["noise"][::2]))
    kinds = (DAMAGES[damage_of(int(row))[0]] for row in worse)
    trust = [
        np.ones(len(rows)),
        np.array([_trust_in_harmless(row, settings) for row in same.tolist()]),
        np.array([TRUSTED_MORE.get(kind, settings.copy_trust) for kind in kinds]),
        np.full(len(noise), settings.noise_trust),
    ]
    level = float(table.quality[rows].mean())
    supposed = [-table.quality[worse] * _losses(worse), np.full(len(noise), -level)]
    wanted = [table.quality[rows] - level, np.zeros(len(same)), *supposed]
    quality = basis.solved([own, kept, lost, noise], wanted, trust, level, settings.strength)
    level = float(table.alignment[rows].mean())
    wanted = [table.alignment[rows] - level, np.zeros(len(same))]
    aligned = basis.solved([own, kept], wanted, trust[:2], level, settings.alignment_strength)
    begun, weight = (np.column_stack(part) for part in zip(quality, aligned, strict=True))
    words = fit_words(plain, table, rows, settings)
    spread = np.zeros((LEVELS + len(kernel.landmarks.value), 2))
    heads = Heads(projection, kernel, opinion, offset, begun, weight, spread, words)
    both = Seen.of(np.concatenate([features["plain"][rows], features["harmless"][same]]))
    shown = np.concatenate([rows, same]), np.arange(len(both)) < len(rows)
    judged = Judged(both, np.concatenate([own, again]), *shown)
    return _finished(heads, basis, judged, table, settings)


@dataclass(frozen=True)
class Judged:
    """Rated images, then their harmless copies: features, basis [N, M + 2], rows of the table, and which
    are originals.

    Copies are there for the spread: two errors say more than one of how well an image is judged.
    """

    seen: Seen
    basis: np.ndarray
    row: np.ndarray
    original: np.ndarray


@dataclass(frozen=True)
class Basis:
    """What ratings are a weighted sum of: the kernel's response, and opinions in units of their deviation."""

    projection: Projection
    kernel: Kernel
    opinion: np.ndarray
    offset: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray
    settings: Settings

    def __call__(self, seen: Seen) -> np.ndarray:
        """[N, M + 2]"""
        opinions = (seen.embedding @ self.opinion + self.offset - self.mean) / self.deviation
        response = self.kernel(self.projection(seen.statistics))
        return np.hstack([response, np.sqrt(self.settings.opinions) * opinions]).astype(np.float64)

    @cached_property
    def prior(self) -> np.ndarray:
        """[M + 2, M + 2] the size of both parts."""
        count = len(self.kernel.landmarks.value)
        found = np.eye(count + len(self.mean))
        found[:count, :count] = self.kernel(self.kernel.landmarks.value)
        return found

    def solved(self, features, wanted, trust, level: float, strength: float) -> tuple[np.ndarray, np.ndarray]:
        """Start [3] and kernel weights [M] that minimise trusted squared error + strength * size.

        Lists of rows of this basis (or differences of rows), of what they are to give beyond `level`, and of
        trusts.
        """
        x, y, weight = (np.concatenate(part) for part in (features, wanted, trust))
        weighted = x * weight[:, None]
        gram = x.T @ weighted + strength * self.prior
        gram[np.diag_indices_from(gram)] += 1e-6
        found = np.linalg.solve(gram, weighted.T @ y)
        count = x.shape[1] - len(self.mean)
        slope = np.sqrt(self.settings.opinions) * found[count:] / self.deviation
        return np.concatenate([[level - slope @ self.mean], slope]), found[:count]


def _trust_in_harmless(row: int, settings: Settings) -> float:
    file = harmless_of(row).file
    return settings.webp_trust if file and file[0] == "WEBP" else settings.same_trust


def _losses(rows: np.ndarray) -> np.ndarray:
    """Share of its rating that each damaged copy is supposed to lose."""
    found = [damage_of(int(row)) for row in rows]
    most = np.array([OWN_LOSSES[DAMAGES[kind]] for kind, _ in found])
    return most * (MILD + (1 - MILD) * np.array([share for _, share in found]))


def _landmarks(
    known: np.ndarray, copies: list[np.ndarray], count: int, rng: np.random.Generator
) -> np.ndarray:
    """A seventh from either kind of copies, the rest rated images."""
    chosen = [part[rng.permutation(len(part))[: count // 7]] for part in copies]
    rest = count - sum(map(len, chosen))
    return np.concatenate([known[rng.permutation(len(known))[:rest]], *chosen])


def fit_words(plain: Seen, table: Table, rows: np.ndarray, settings: Settings) -> Words:
    """Each prompt's goal is the mean embedding of its images; those that do not show it count little."""
    trust = np.clip(table.alignment[rows] - settings.words_floor, 0.1, None)
    usual = np.average(plain.embedding, 0, trust)
    prompts, first = np.unique(table.prompt[rows], return_index=True)
    goals = np.empty((len(prompts), plain.embedding.shape[1]))
    for place, prompt in enumerate(prompts):
        own = table.prompt[rows] == prompt
        goals[place] = np.average(plain.embedding[own] - usual, 0, trust[own])
    known = unit(table.meaning[rows][first]).astype(np.float32)
    apart = squared(known, known)
    gamma = settings.words_gamma / apart.mean()
    gram = np.exp(-gamma * apart) + settings.words_strength * np.eye(len(known))
    return Words(known, float(gamma), rounded(np.linalg.solve(gram, goals), 8), usual.astype(np.float32))


def _finished(heads: Heads, basis: Basis, judged: Judged, table: Table, settings: Settings) -> Heads:
    """The mix of alignment and the spreads, fitted to what inner folds say of images new to them."""
    group, first, response = table.group[judged.row], judged.original, judged.basis[:, : len(heads.weight)]
    opinions = judged.seen.embedding @ heads.opinion + heads.opinion_offset
    rated = np.column_stack([table.quality, table.alignment])[judged.row]
    strengths = (settings.strength, settings.alignment_strength)
    inner, agreement, other = np.empty_like(rated), np.empty(len(rated)), np.empty(len(rated))
    rng = np.random.default_rng(0)
    for number in np.unique(group):
        test, train = group == number, (group != number) & first
        for aspect, strength in enumerate(strengths):
            known, trust = rated[train, aspect], np.ones(int(train.sum()))
            level = float(known.mean())
            begun, weight = basis.solved([judged.basis[train]], [known - level], [trust], level, strength)
            inner[test, aspect] = start(opinions[test]) @ begun + response[test] @ weight
        words = fit_words(_part(judged.seen, train), table, judged.row[train], settings)
        images, rows = _part(judged.seen, test), judged.row[test]
        wanted = words.wanted(table.meaning[rows])
        agreement[test] = replace(heads, words=words).agreement(images, wanted)
        other[test] = replace(heads, words=words).agreement(images, wanted[_others(table.prompt[rows], rng)])
    turn = float(np.quantile(agreement[first], settings.turn))
    mixed = columns(inner[:, 1], inner[:, 0], agreement, turn)
    mix = np.append(np.linalg.lstsq(mixed[first, :-1], rated[first, 1], rcond=None)[0], 0.0)
    # nobody rated images with prompts of others: what they would get is supposed
    wrong = columns(inner[:, 1], inner[:, 0], other, turn)[first]
    lacking = wrong @ mix - settings.wrong_share * rated[first, 1]
    mix[-1] = -max(0.0, float((wrong[:, -1] * lacking).sum() / np.square(wrong[:, -1]).sum()))
    errors = np.abs(rated - np.column_stack([inner[:, 0], mixed @ mix]))
    features = doubts({"quality": inner[:, 0], "response": response})
    penalty = 1e-6 * np.eye(features.shape[1])
    penalty[LEVELS:, LEVELS:] += settings.spread_strength * heads.kernel(heads.kernel.landmarks.value)
    gram = features.T @ features + penalty
    spread = np.linalg.solve(gram, features.T @ np.log(errors + FLOOR))
    return replace(heads, mix=mix, turn=turn, spread=spread)


def _others(prompts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """For each row another one with another prompt, where there is any."""
    chosen = rng.permutation(len(prompts))
    for _ in range(8):
        same = prompts[chosen] == prompts
        chosen[same] = rng.integers(0, len(prompts), int(same.sum()))
    return chosen


def _part(seen: Seen, rows: np.ndarray) -> Seen:
    return Seen(seen.statistics[rows], seen.embedding[rows])
