"""flow_grpo's `multi_score(device, {name: weight})`: a function that gives a list for each name, and their sum."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any

import numpy as np

from ..client import AssayClient
from ..link.failures import fail
from .asking import ask
from .measures import Measure, Missing, checked, filled


def multi_score(
    device: Any,
    score_dict: Mapping[str, float],
    *,
    missing: Missing = "raise",
    client: AssayClient | None = None,
) -> Callable[..., tuple[dict[str, list[float]], dict]]:
    """Stands for `flow_grpo.rewards.multi_score`; the names of `score_dict` are measures. The device is not used.

    `avg` is the weighted sum, as there. A reward that is missing raises NO_REWARD: the trainer's own statistics would
    spread a NaN over the whole group. With `nan`, a sum with a part missing is NaN, too.
    """
    if not score_dict:
        raise fail("BAD_REQUEST", reason="score_dict is empty; expected measures and their weights")
    for name, weight in score_dict.items():
        if not isinstance(weight, Real) or not math.isfinite(weight):
            raise fail("BAD_REQUEST", reason=f"the weight of {name!r} is {weight!r}; expected a finite number")
    measures = {name: Measure.of(name) for name in score_dict}
    choice = checked(missing)

    def assay_rewards(
        images: Any, prompts: Any, metadata: Any = None, only_strict: bool = True, ref_images: Any = None
    ) -> tuple[dict[str, list[float]], dict]:
        results = ask(client, measures.values(), images, prompts)
        parts = {
            name: filled(measure, results[measure.scorer], choice if choice != "none" else "nan")
            for name, measure in measures.items()
        }
        weighted = [float(weight) * np.array(parts[name]) for name, weight in score_dict.items()]
        return {**parts, "avg": np.sum(weighted, axis=0).tolist()}, {}

    return assay_rewards
