"""How far the scores of smaller variants are from those of the full one, with the weights at hand."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from assay_training.checkpoints import CheckpointError
from assay_training.degrade import DEGRADATIONS, degrade, strength_at
from assay_training.golden import PROMPTS, varied_image
from assay_training.language import made_up
from assay_training.reference import Item
from assay_training.scorer import Scorer
from assay_training.variants import FULL

PAIRS = 60  # of images and prompts
LIMITS = {"fp16": 0.02, "int8": 0.1}  # largest difference to FULL, of the range
MOST = 0.95  # share of the pairs that are told beside the largest
TRIED = (  # with the prompts of golden images: short, long, none, and such as people write
    "a cat",
    "",
    "portrait of a woman, freckles, golden hour, 85mm, film grain",
    "two robots playing chess in a ruined library, volumetric light, highly detailed, 8k",
    *PROMPTS.values(),
)


@dataclass(frozen=True)
class Distance:
    """Of one variant and aspect from FULL, as shares of the range: the largest, and what MOST stay within."""

    largest: float
    most: float
    pairs: int


def pairs_of(items: Sequence[Item], count: int = PAIRS) -> list[Item]:
    """`count` images with prompts: each with its own, if it has one, and with others in turn."""
    found = []
    for number in range(count):
        image, own = items[number % len(items)]
        again = number >= len(items)
        found.append((image, own if own and not again else TRIED[number % len(TRIED)]))
    return found


@cache
def drawn_pairs(count: int = PAIRS) -> tuple[Item, ...]:
    """`count` drawn images, most of them degraded, with prompts."""
    rng, kinds = np.random.default_rng(0), list(DEGRADATIONS)
    found = []
    for number in range(count):
        image = varied_image(number)
        if number % 4:
            kind = kinds[number % len(kinds)]
            image = degrade(image, kind, strength_at(kind, rng.random()), rng)
        found.append((image, TRIED[number % len(TRIED)]))
    return tuple(found)


def distances(folder: Path, manifest: dict, pairs: Sequence[Item]) -> dict[str, dict[str, Distance]]:
    """By variant and aspect. Raises CheckpointError if a variant is further off than its limit."""
    if len(manifest["variants"]) == 1:
        return {}
    means = {variant: _means(folder, variant, pairs) for variant in manifest["variants"]}
    found: dict[str, dict[str, Distance]] = {}
    for variant in list(means)[1:]:
        found[variant] = {}
        for aspect, values in means[variant].items():
            low, high = manifest["aspects"][aspect]["range"]
            off = np.abs(values - means[FULL][aspect]) / (high - low)
            _check(variant, aspect, float(off.max()), len(pairs))
            found[variant][aspect] = Distance(float(off.max()), float(np.quantile(off, MOST)), len(pairs))
    return found


def _check(variant: str, aspect: str, largest: float, count: int) -> None:
    limit = LIMITS.get(variant, np.inf)
    if not largest <= limit:  # nan, too
        raise CheckpointError(
            f"{variant}: {aspect} is off by {largest:.1%} of its range on one of {count} pairs of image and "
            f"prompt, more than {limit:.0%}; convert without this variant"
        )


def _means(folder: Path, variant: str, pairs: Sequence[Item]) -> dict[str, np.ndarray]:
    """Each aspect's raw means [len(pairs)]."""
    scorer, rows = Scorer(folder, variant, threads=os.cpu_count() or 1), []
    for number, (image, prompt) in enumerate(pairs):
        inputs = {key: values[None] for key, values in scorer.inputs(image).items()}
        rows.append(scorer.raw(inputs | made_up(scorer.manifest.get("language"), number), prompt))
    return {aspect: np.array([row[aspect][0, 0] for row in rows]) for aspect in rows[0]}
