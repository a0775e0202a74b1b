"""What fewer windows of an image do to its score: spread over images and distance to the full count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from assay_training.metrics import srcc
from assay_training.reference import Item
from assay_training.scorer import Scorer


@dataclass(frozen=True)
class Effect:
    """One count of windows and one aspect, on the same images as the other counts."""

    variant: str
    count: int
    aspect: str
    spread: float  # standard deviation of the raw scores over the images, on the aspect's scale
    apart: float  # median distance to the raw score with the most windows
    agreement: float  # rank correlation with it, -1..1; nan if all scores are equal


def window_effects(folder: Path, manifest: dict, items: Sequence[Item]) -> list[Effect]:
    """Effects of every variant that differs from the default one in its windows alone, the default one first.

    items: at least 3 images with their prompts. The folder holds its calibration already.
    """
    counts = _counts(manifest)
    measured = {variant: _scores(Scorer(folder, variant), items) for variant in counts}
    most = measured[manifest["defaultVariant"]]
    return [
        Effect(
            variant,
            counts[variant],
            aspect,
            float(values.std()),
            float(np.median(np.abs(values - most[aspect]))),
            srcc(values, most[aspect]),
        )
        for variant, scores in measured.items()
        for aspect, values in scores.items()
    ]


def _counts(manifest: dict) -> dict[str, int]:
    """Windows by variant, of the default one and of those that are told by their windows."""
    most = {manifest["defaultVariant"]: manifest["image"]["windows"]["count"]}
    return most | {name: v["windows"] for name, v in manifest["variants"].items() if "windows" in v}


def _scores(scorer: Scorer, items: Sequence[Item]) -> dict[str, np.ndarray]:
    """Raw scores [len(items)] by aspect."""
    rows = []
    for image, prompt in items:
        inputs = {name: values[None] for name, values in scorer.inputs(image).items()}
        rows.append(scorer.raw(inputs, prompt))
    return {name: np.array([row[name][0, 0] for row in rows]) for name in rows[0]}
