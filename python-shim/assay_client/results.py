"""What the daemon says of an image, as types. Fields that a newer daemon sends beside them are in `raw`."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from .link.failures import AssayFailure

Decision = Literal["accept", "reject", "unsure"]


@dataclass(frozen=True)
class AspectScore:
    """A predicted mean opinion score; higher is better."""

    score: float
    #: Lowest and highest possible score.
    range: tuple[float, float]
    #: Share of the scorer's reference images that score lower, 0..1; None when the scorer is not calibrated.
    percentile: float | None
    #: Prediction interval, and the share of human ratings that fall into it; None when it is not calibrated.
    interval: tuple[float, float] | None
    coverage: float | None
    #: What the model said before it was calibrated, and its own standard deviation of that, where it has one.
    raw: float | None = None
    spread: float | None = None
    #: Levels of `raw`, and the probability of each, where the model predicts levels.
    distribution: Mapping[str, Sequence[float]] | None = None


@dataclass(frozen=True)
class Guard:
    """A check of the pixels that makes any score meaningless: `blank`, `noise`, `corrupt`, `out-of-domain`."""

    guard: str
    message: str


@dataclass(frozen=True)
class Scorer:
    """Which weights made a score."""

    id: str
    version: str
    variant: str
    weights: str
    calibration: str


@dataclass(frozen=True)
class Result:
    """The verdict on one image. Exactly one of `aspects` and `error` is set.

    `reward` is 0..1; None when a guard tripped or the image has no score. It is never 0.0 for a failure.
    """

    id: str
    #: What the caller gave as the group of the image; it does not travel.
    group: Hashable = None
    reward: float | None = None
    aspects: Mapping[str, AspectScore | None] | None = None
    guards: tuple[Guard, ...] = ()
    decision: Decision | None = None
    reasons: tuple[str, ...] = ()
    #: What was cut, guessed or not applied, for people.
    notes: tuple[str, ...] = ()
    prompt: str | None = None
    #: Whether the scorer read only the beginning of the prompt.
    truncated: bool = False
    source: str | None = None
    width: int | None = None
    height: int | None = None
    sha256: str | None = None
    scorer: Scorer | None = None
    error: AssayFailure | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def score(self, aspect: str = "quality") -> float | None:
        """The score of an aspect, whatever the guards say; None when there is none."""
        found = (self.aspects or {}).get(aspect)
        return None if found is None else found.score


@dataclass(frozen=True)
class Ranking:
    """Images of one prompt; `order` has indexes into `results`, best first, those without a reward last."""

    results: list[Result]
    order: list[int]
    #: `order[0]`, or None when no image has a reward.
    best: int | None


@dataclass(frozen=True)
class Health:
    """The daemon, as it answers now."""

    version: str
    ready: bool
    #: Why it is not ready.
    reason: str | None = None


def result_of(raw: dict, id: str, group: Hashable, notes: Sequence[str]) -> Result:
    """The result in an answer. Raises KeyError and TypeError among it for what makes no sense."""
    error = error_of(raw)
    return Result(
        id=id,
        group=group,
        reward=None if error else number_of(raw.get("reward")),
        aspects=None if error else {name: found and aspect_of(found) for name, found in raw["aspects"].items()},
        guards=guards_of(raw),
        decision=raw.get("decision"),
        reasons=tuple(raw.get("reasons") or ()),
        notes=(*(raw.get("notes") or ()), *notes),
        prompt=raw.get("prompt"),
        truncated=bool(raw.get("truncated")),
        source=raw.get("source"),
        width=raw.get("width"),
        height=raw.get("height"),
        sha256=raw.get("sha256"),
        scorer=scorer_of(raw.get("scorer")),
        error=error,
        raw=raw,
    )


def number_of(value: object) -> float | None:
    """Raises ValueError for what is no number, NaN among it: MessagePack can carry that, and no score is one."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no number")
    return float(value)


def guards_of(raw: dict) -> tuple[Guard, ...]:
    return tuple(Guard(found["guard"], found["message"]) for found in raw.get("guards") or ())


def error_of(raw: dict) -> AssayFailure | None:
    error = raw.get("error")
    return AssayFailure(error["code"], error["message"], error.get("fix", "")) if error else None


def aspect_of(raw: dict) -> AspectScore:
    low, high = raw["range"]
    interval = raw["interval"] and (raw["interval"][0], raw["interval"][1])
    own = (raw.get("raw"), raw.get("spread"), raw.get("distribution"))
    return AspectScore(_some(raw["score"]), (low, high), raw["percentile"], interval, raw["coverage"], *own)


def _some(value: object) -> float:
    """A number that cannot be absent. Raises ValueError."""
    found = number_of(value)
    if found is None:
        raise ValueError("a score is missing")
    return found


def scorer_of(raw: dict | None) -> Scorer | None:
    if raw is None:
        return None
    return Scorer(raw["id"], raw["version"], raw["variant"], raw["weights"], raw["calibration"])
