"""`fn(images, prompts, metadata)` → `(rewards, info)`: ddpo-pytorch, single scorers of flow_grpo, DDPO of old TRL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..client import AssayClient
from .asking import ask
from .measures import Measure, Missing, checked, filled


def triple(
    device: Any = None,
    *,
    measure: str = "reward",
    missing: Missing = "raise",
    client: AssayClient | None = None,
) -> Callable[..., tuple[np.ndarray, dict]]:
    """A factory as `config.reward_fn` names it: without arguments, or with the device, which is not used.

    A reward that is missing raises NO_REWARD, since these trainers average over all rewards, and one NaN would make
    every advantage NaN.
    """
    wanted, choice = Measure.of(measure), checked(missing)

    def assay_reward(images: Any, prompts: Any, metadata: Any = None) -> tuple[np.ndarray, dict]:
        results = ask(client, [wanted], images, prompts)[wanted.scorer]
        return np.array(filled(wanted, results, choice), dtype=np.float64), {}

    return assay_reward
