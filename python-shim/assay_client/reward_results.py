"""What the daemon says of rewards, as types. Fields that a newer daemon sends beside them are in `raw`."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from .link.failures import AssayFailure
from .results import AspectScore, Guard, Scorer, aspect_of, error_of, guards_of, number_of, scorer_of


@dataclass(frozen=True)
class RewardComponent:
    """One term of a reward, for one image."""

    weight: float
    #: On the scale of the profile; None when there is none, and then `reason` says why.
    value: float | None
    reason: str | None
    scorer: Scorer | None
    #: The scores that it is made of.
    aspects: Mapping[str, AspectScore] = field(default_factory=dict)


@dataclass(frozen=True)
class MissingReward:
    """Why an image has no reward of its own, and what the profile put in its place."""

    because: Literal["failed", "guard", "not-applicable"]
    reason: str
    #: `leave-out` beside a reward that is None.
    applied: Literal["leave-out", "worst", "floor"]


@dataclass(frozen=True)
class RewardItem:
    """The reward of one image. It is never 0.0 for a failure."""

    id: str
    group: Hashable = None
    #: On the scale of the profile; None: leave it out.
    reward: float | None = None
    #: None when `reward` is that of the image itself.
    missing: MissingReward | None = None
    #: Within its group; None when none was asked for, and beside a reward that is None.
    advantage: float | None = None
    #: By name of the term.
    components: Mapping[str, RewardComponent] = field(default_factory=dict)
    #: Whether a scorer read only the beginning of the prompt.
    truncated: bool = False
    guards: tuple[Guard, ...] = ()
    notes: tuple[str, ...] = ()
    prompt: str | None = None
    source: str | None = None
    width: int | None = None
    height: int | None = None
    sha256: str | None = None
    error: AssayFailure | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class RewardGroup:
    """Figures of the rewards of one group, with those that stand for missing ones."""

    group: Hashable
    count: int
    #: How many have a reward.
    used: int
    mean: float | None = None
    #: Divided by the number, not by one less.
    std: float | None = None
    #: Nothing can be learned from the group: its rewards are equal, or fewer than two.
    zero_variance: bool = True
    #: Ids of images that are equal byte by byte.
    duplicates: tuple[tuple[str, ...], ...] = ()
    #: Ids of images of nearly one colour.
    near_blank: tuple[str, ...] = ()


@dataclass(frozen=True)
class RewardResult(Sequence[RewardItem]):
    """A sequence of the items, in the order of the images."""

    items: tuple[RewardItem, ...]
    groups: tuple[RewardGroup, ...]
    #: As it was applied, with its name.
    profile: Mapping[str, Any]
    #: Versions and weights that made the scores.
    scorers: tuple[Scorer, ...]

    @property
    def rewards(self) -> list[float | None]:
        return [item.reward for item in self.items]

    @property
    def advantages(self) -> list[float | None]:
        return [item.advantage for item in self.items]

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, at):
        return self.items[at]

    def __iter__(self) -> Iterator[RewardItem]:
        return iter(self.items)


def reward_of(raw: dict, id: str, group: Hashable, notes: Sequence[str]) -> RewardItem:
    """An item of an answer. Raises KeyError and TypeError among it."""
    missing = raw.get("missing")
    if raw.get("error") and not missing:
        raise ValueError("an image that failed has a reward of its own")
    return RewardItem(
        id=id,
        group=group,
        reward=number_of(raw["reward"]),
        missing=MissingReward(missing["because"], missing["reason"], missing["applied"]) if missing else None,
        advantage=number_of(raw.get("advantage")),
        components={name: _component(found) for name, found in raw["components"].items()},
        truncated=bool(raw.get("truncated")),
        guards=guards_of(raw),
        notes=(*(raw.get("notes") or ()), *notes),
        prompt=raw.get("prompt"),
        source=raw.get("source"),
        width=raw.get("width"),
        height=raw.get("height"),
        sha256=raw.get("sha256"),
        error=error_of(raw),
        raw=raw,
    )


def group_of(raw: dict, group: Hashable) -> RewardGroup:
    """The figures of a group in an answer. Raises KeyError and TypeError among it."""
    return RewardGroup(
        group=group,
        count=raw["count"],
        used=raw["used"],
        mean=number_of(raw["mean"]),
        std=number_of(raw["std"]),
        zero_variance=bool(raw["zeroVariance"]),
        duplicates=tuple(map(tuple, raw["duplicates"])),
        near_blank=tuple(raw["nearBlank"]),
    )


def _component(raw: dict) -> RewardComponent:
    aspects = {name: aspect_of(found) for name, found in raw["aspects"].items()}
    return RewardComponent(raw["weight"], number_of(raw["value"]), raw["reason"], scorer_of(raw["scorer"]), aspects)
