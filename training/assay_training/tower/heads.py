"""Everything that is fitted to ratings: quality, alignment, how unsure both are, and how foreign an image is.

All of it is closed-form on the tower's statistics, so a fit takes seconds and the protocol can repeat it
per fold, per seed and per generator family.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from assay_training.degrade import DEGRADATIONS
from assay_training.tower.features import Features
from assay_training.tower.kernel import Kernel, Projection, fit_projection, solve
from assay_training.tower.rounding import Rounded, rounded
from assay_training.tower.words import unit

FLOOR = 0.15  # smallest spread, in MOS
# how much of its rating an image loses at the heaviest damage: a prior of ours, nobody rated these copies
LOSSES = {
    "blur": 0.85,
    "jpeg": 0.75,
    "noise": 0.9,
    "dark": 0.9,
    "flat": 0.7,
    "enlarged": 0.85,
    "shuffled": 0.9,
    "warped": 0.8,
    "smeared": 0.6,
}
MILD = 0.3  # share of that loss at the mildest damage


@dataclass(frozen=True)
class Settings:
    """Chosen on the folds that the protocol reports, from the few that LOG.md names."""

    components: int = 208
    landmarks: int = 1536
    gamma: float = 0.5
    strength: float = 0.2
    alignment_strength: float = 0.6
    text_strength: float = 1.0
    spread_strength: float = 3.0
    copy_trust: float = 0.05
    text_floor: float = 0.5  # images rated below this alignment hardly say what their prompt looks like


@dataclass(frozen=True)
class Table:
    """What is known of the images: ratings [N], vectors of their prompts [N, S], inner folds [N]."""

    quality: np.ndarray
    alignment: np.ndarray
    prompts: np.ndarray
    group: np.ndarray


@dataclass(frozen=True)
class Heads:
    """All fitted numbers. The graph computes the same as `quality`, `alignment` and `foreignness`."""

    projection: Projection
    kernel: Kernel
    quality_weight: np.ndarray  # [M, 2]: mean, log spread
    quality_offset: np.ndarray
    alignment_weight: np.ndarray  # [M, 2]: mean by the image alone, log spread
    alignment_offset: np.ndarray
    text_weight: Rounded  # [M, S]: what prompt the image looks like, as a difference from `usual`
    usual: np.ndarray  # [S] mean of the training prompts
    mix: np.ndarray = field(default_factory=lambda: np.array([0.0, 1, 0, 0]))  # see `blend`

    def respond(self, statistics: np.ndarray) -> np.ndarray:
        """Kernel values [N, M]."""
        return self.kernel(self.projection(statistics))

    def quality(self, response: np.ndarray) -> np.ndarray:
        """[N, 2] (mean, spread) in MOS."""
        return _mean_and_spread(response, self.quality_weight, self.quality_offset)

    def agreement(self, response: np.ndarray, prompts: np.ndarray) -> np.ndarray:
        """[N] cosine of what the image looks like and its prompt [N, S], both as differences from usual."""
        known = np.linalg.norm(prompts, axis=1, keepdims=True) > 0  # else no piece of it means anything
        looks, wanted = response @ self.text_weight.value, unit(prompts - self.usual) * known
        return (unit(looks) * wanted).sum(1)

    def alignment(self, response: np.ndarray, prompts: np.ndarray) -> np.ndarray:
        """[N, 2] (mean, spread) in MOS."""
        raw = _mean_and_spread(response, self.alignment_weight, self.alignment_offset)
        quality = self.quality(response)[:, 0]
        mean = blend(raw[:, 0], quality, self.agreement(response, prompts)) @ self.mix
        return np.stack([mean, raw[:, 1]], 1)

    def foreignness(self, statistics: np.ndarray) -> np.ndarray:
        """[N] mean square of the standardised statistics: 1 on average for what the heads were fitted to."""
        return np.square(self.projection.standardised(statistics)).mean(1)


def blend(image: np.ndarray, quality: np.ndarray, agreement: np.ndarray) -> np.ndarray:
    """Columns of the last step of alignment: 1, what the image alone says of it, quality, agreement."""
    return np.column_stack([np.ones(len(image)), image, quality, agreement])


def damaged_ratings(rating: np.ndarray, kind: np.ndarray, share: np.ndarray) -> np.ndarray:
    """What we suppose of degraded copies: rating [N] times what the damage [N, C] leaves of it."""
    loss = np.array([LOSSES[name] for name in DEGRADATIONS])[kind]
    return rating[:, None] * (1 - loss * (MILD + (1 - MILD) * share))


def project(features: Features, rows: np.ndarray, settings: Settings) -> Projection:
    """The part of the fit that takes longest and depends on neither ratings nor seed."""
    return fit_projection(
        np.concatenate([features.plain[rows], features.copies[rows[::3], 0]]), settings.components
    )


def fit_heads(
    features: Features,
    table: Table,
    rows: np.ndarray,
    settings: Settings,
    seed: int,
    projection: Projection | None = None,
) -> Heads:
    """Fits everything on `rows`; images of other rows are not looked at. `projection`: see `project`."""
    projection = projection or project(features, rows, settings)
    rng = np.random.default_rng(seed)
    plain = np.asarray(features.plain[rows])
    copies = np.asarray(features.copies[rows])
    known, damaged = projection(plain), projection(copies.reshape(-1, copies.shape[-1]))
    noise = projection(features.noise[::2])
    kernel = Kernel(rounded(_landmarks(known, damaged, settings.landmarks, rng), 8), settings.gamma)

    supposed = damaged_ratings(table.quality[rows], features.kind[rows], features.share[rows]).ravel()
    points = np.concatenate([known, damaged, noise])
    rated = np.concatenate([table.quality[rows], supposed, np.zeros(len(noise))])[:, None]
    trust = np.full(len(points), settings.copy_trust)
    trust[: len(known)] = 1

    quality = _solved_with_spread(
        kernel,
        known,
        table.quality[rows],
        table.group[rows],
        settings.strength,
        settings,
        (points, rated, trust),
    )
    alignment = _solved_with_spread(
        kernel, known, table.alignment[rows], table.group[rows], settings.alignment_strength, settings
    )
    usual = table.prompts[rows].mean(0)
    text = _text(kernel, known, table, rows, usual, settings)
    heads = Heads(projection, kernel, *quality[:2], *alignment[:2], text, usual)
    return _with_mix(heads, known, table, rows, settings, alignment[2], quality[2])


def _landmarks(known: np.ndarray, damaged: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Three quarters rated images, the rest degraded copies."""
    copies = min(count // 4, len(damaged))
    chosen = known[rng.permutation(len(known))[: count - copies]]
    return np.concatenate([chosen, damaged[rng.permutation(len(damaged))[:copies]]])


def _solved_with_spread(kernel, known, rated, group, strength, settings, everything=None):
    """Weights [M, 2] and offsets [2] of mean and log spread, and inner out-of-fold means [N].

    The spread is fitted to errors that inner folds make on images new to them. `everything` are the points,
    ratings and trusts of the final fit, with whose extra rows the inner folds do not bother.
    """
    inner = np.empty(len(known))
    for number in np.unique(group):
        test = group == number
        weight, offset = solve(kernel, known[~test], rated[~test, None], strength)
        inner[test] = (kernel(known[test]) @ weight + offset)[:, 0]
    points, targets, trust = everything or (known, rated[:, None], None)
    mean = solve(kernel, points, targets, strength, trust)
    errors = np.log(np.abs(rated - inner) + FLOOR)[:, None]
    spread = solve(kernel, known, errors, settings.spread_strength)
    return np.hstack([mean[0], spread[0]]), np.concatenate([mean[1], spread[1]]), inner


def _text(kernel: Kernel, known: np.ndarray, table: Table, rows: np.ndarray, usual, settings: Settings):
    """[M, S]; images that people found not to show their prompt count little."""
    trust = np.clip(table.alignment[rows] - settings.text_floor, 0.1, None)
    wanted = unit(table.prompts[rows] - usual)
    return rounded(solve(kernel, known, wanted, settings.text_strength, trust, centred=False)[0], 8)


def _with_mix(
    heads: Heads, known, table: Table, rows, settings: Settings, inner: np.ndarray, quality: np.ndarray
) -> Heads:
    """Fits the last step on inner out-of-fold estimates, since in use there will be nothing better."""
    agreement = np.empty(len(rows))
    for number in np.unique(table.group[rows]):
        test = table.group[rows] == number
        text = _text(heads.kernel, known[~test], table, rows[~test], heads.usual, settings)
        part = Heads(**{**heads.__dict__, "text_weight": text})
        agreement[test] = part.agreement(heads.kernel(known[test]), table.prompts[rows[test]])
    columns = blend(inner, quality, agreement)
    mix = np.linalg.lstsq(columns, table.alignment[rows], rcond=None)[0]
    return Heads(**{**heads.__dict__, "mix": mix})


def _mean_and_spread(response: np.ndarray, weight: np.ndarray, offset: np.ndarray) -> np.ndarray:
    found = response @ weight + offset
    return np.stack([found[:, 0], np.maximum(np.exp(found[:, 1]), FLOOR)], 1)
