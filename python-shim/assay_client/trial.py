"""What a study asks for, and what it is told, as they go over the wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .link.failures import AssayFailure, fail
from .request import items_of
from .sending import data_of


@dataclass(frozen=True)
class Asked:
    """One candidate to make."""

    id: str
    prompt: str | None
    #: 0..2^32-1
    seed: int
    #: What is varied beside the seed, by name.
    parameters: Mapping[str, Any]
    #: `full`, or what the strategy calls it.
    stage: str
    #: Share of the work of a whole image, 0..1: a draft of 0.25 gets a quarter of the steps.
    effort: float
    #: The trial that it goes on from; None for a new one.
    origin: str | None

    def steps(self, whole: int) -> int:
        """So many sampling steps, where a whole image has `whole`."""
        return max(1, round(whole * self.effort))


@dataclass(frozen=True)
class Winner:
    """One of the best images of a study."""

    trial: Asked
    #: The name that it was told by: that of the trial, where it had none.
    image: str
    #: By the study's pick; higher is better.
    value: float
    values: Mapping[str, float | None] = field(default_factory=dict)
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)


def asked_of(raw: dict) -> Asked:
    """A trial in an answer. Raises KeyError and TypeError among it."""
    stage = raw["stage"]
    own = (raw["id"], raw["prompt"], raw["seed"], raw["parameters"])
    return Asked(*own, stage["name"], stage["effort"], raw["from"])


def winner_of(raw: dict) -> Winner:
    scored = raw["scored"]
    intervals = {name: (low, high) for name, (low, high) in (scored.get("intervals") or {}).items()}
    return Winner(asked_of(raw["trial"]), raw["image"], raw["value"], scored["values"], intervals)


def spec_of(prompt: str | None, strategy: str | Mapping, budget: float, axes: Mapping | None, **rest: Any) -> dict:
    """The plan of a study, as the daemon has it. `axes`: a list of values, or a mapping with low and high."""
    if prompt is not None and not isinstance(prompt, str):
        raise _bad(f"prompt is a {type(prompt).__name__}; expected text or None")
    named = {"name": strategy} if isinstance(strategy, str) else dict(strategy)
    varied = {
        name: dict(axis) if isinstance(axis, Mapping) else {"values": list(axis)} for name, axis in (axes or {}).items()
    }
    given = {"prompt": prompt, "strategy": named, "images": budget, "axes": varied or None, **rest}
    return {name: value for name, value in given.items() if value is not None}


def telling_of(
    asked: Asked, pick: Sequence[str], images: Any, names: Any, scores: Any, prompt: str | None, layout: str | None
) -> tuple[dict, int]:
    """The message, and about how many bytes its images have. Raises AssayFailure."""
    images = getattr(images, "images", images)  # what pipelines of diffusers return
    if scores is not None:
        return {"images": _scored(asked, pick, _each(names, "names"), _each(scores, "scores"))}, 0
    if images is None:
        raise _bad("nothing to tell; expected images, or scores, or fail() for a trial that has none")
    items = [item.message() for item in items_of(images, prompt, None, None, layout)]
    listed = _each(names, "names")
    if listed is not None and len(listed) != len(items):
        raise _bad(f"{len(listed)} names for {len(items)} images")
    for item, name in zip(items, listed or []):
        item["source"] = str(name)
    return {"items": items}, sum(len(data_of(item)) for item in items)


def _scored(asked: Asked, pick: Sequence[str], names: list | None, scores: list | None) -> list[dict]:
    if names is not None and len(names) != len(scores or []):
        raise _bad(f"{len(names)} names for {len(scores or [])} scores")
    usual = [asked.id if at == 0 else f"{asked.id}-{at + 1}" for at in range(len(scores or []))]
    return [{"image": str(name), "values": _values(pick, score)} for name, score in zip(names or usual, scores or [])]


def _values(pick: Sequence[str], score: Any) -> dict:
    if isinstance(score, Mapping):
        return {str(name): _number(value) for name, value in score.items()}
    if len(pick) > 1:
        raise _bad(f"a score is one number, and the study picks by {', '.join(pick)}; expected a mapping of these")
    return {pick[0]: _number(score)}


def _number(value: Any) -> float | None:
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError):
        raise _bad(f"a score is {value!r}; expected a number or None") from None


def _each(given: Any, name: str) -> list | None:
    """One or several."""
    if given is None or isinstance(given, (list, tuple)):
        return None if given is None else list(given)
    if isinstance(given, (str, int, float, Mapping)):
        return [given]
    try:
        return list(given.tolist()) if getattr(given, "ndim", 1) else [given.item()]
    except AttributeError:
        raise _bad(f"{name} is a {type(given).__name__}; expected one, or a list") from None


def _bad(reason: str) -> AssayFailure:
    return fail("BAD_REQUEST", reason=reason)
