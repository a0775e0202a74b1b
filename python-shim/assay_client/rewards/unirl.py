"""UniRL: a reward backend, `compute_rewards(RewardRequest)` → `RewardResponse`."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..client import AssayClient
from ..link.failures import AssayFailure
from .asking import ask, shared
from .measures import Measure


@dataclass
class _Response:
    """As UniRL's own, for where it is not installed."""

    rewards: list[float] = field(default_factory=list)
    component_rewards: dict[str, list[float]] = field(default_factory=dict)
    successes: list[bool] = field(default_factory=list)
    errors: list[str | None] = field(default_factory=list)
    compute_time: float = 0.0


if TYPE_CHECKING:
    _Base: Any = object
    RewardResponse: Any = _Response
else:
    try:
        from unirl.reward.base import RewardBackend as _Base
        from unirl.types.reward import RewardResponse
    except ImportError:
        _Base, RewardResponse = object, _Response


class AssayBackend(_Base):
    """The weighted sum of measures. Where one is missing, the sample has success False, its error, and NaN as reward.

    NaN is no reward that the trainer could take: it stops at what has no success.
    """

    input_kind = "image"

    def __init__(
        self, weights: Mapping[str, float] | None = None, *, client: AssayClient | None = None, **options: Any
    ):
        if _Base is not object:
            super().__init__(model_name="assay", **options)
        self._weights = dict(weights or {"reward": 1.0})
        self._measures = {name: Measure.of(name) for name in self._weights}
        self._client = client

    def compute_rewards(self, request: Any) -> Any:
        """`request.images` and `request.prompts`, with `sample_ids` and `group_ids` where it has them."""
        begun = time.monotonic()
        results = ask(
            self._client,
            self._measures.values(),
            request.images,
            # Newer versions leave it to the backend which prompt is meant.
            (request.prompts if hasattr(request, "prompts") else self.prompts(request)) or None,
            ids=request.sample_ids,
            groups=request.group_ids,
        )
        parts: dict[str, list[float]] = {}
        errors: list[str | None] = [None] * len(request.images)
        for name, measure in self._measures.items():
            values = [measure.value(result) for result in results[measure.scorer]]
            parts[name] = [math.nan if value is None else value for value in values]
            for at, value in enumerate(values):
                if value is None:
                    errors[at] = f"{name}: {measure.why_not(results[measure.scorer][at])}"
        rewards = [sum(w * parts[name][at] for name, w in self._weights.items()) for at in range(len(errors))]
        return RewardResponse(
            rewards=rewards,
            component_rewards=parts,
            successes=[error is None for error in errors],
            errors=errors,
            compute_time=time.monotonic() - begun,
        )

    def is_available(self) -> bool:
        try:
            return (self._client or shared()).health().ready
        except AssayFailure:
            return False
