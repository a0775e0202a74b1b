"""`fn(images, prompts, metadata)` → `(rewards, info)`: ddpo-pytorch, single scorers of flow_grpo, DDPO of old TRL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..client import AssayClient
from .asking import ask
from .measures import Measure, Missing, checked, filled


@dataclass(frozen=True)
class Triple:
    """The reward function. It can be pickled, for trainers that hand it to processes of theirs."""

    measure: Measure
    missing: Missing
    client: AssayClient | None

    def __call__(self, images: Any, prompts: Any, metadata: Any = None) -> tuple[np.ndarray, dict]:
        results = ask(self.client, [self.measure], images, prompts)[self.measure.scorer]
        return np.array(filled(self.measure, results, self.missing), dtype=np.float64), {}


def triple(
    device: Any = None,
    *,
    measure: str = "reward",
    missing: Missing = "raise",
    client: AssayClient | None = None,
) -> Triple:
    """A factory as `config.reward_fn` names it: without arguments, or with the device, which is not used.

    A reward that is missing raises NO_REWARD, since these trainers average over all rewards, and one NaN would make
    every advantage NaN.
    """
    return Triple(Measure.of(measure), checked(missing), client)
