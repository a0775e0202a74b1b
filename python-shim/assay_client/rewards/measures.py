"""Which number of a result is the reward, and what a trainer gets where there is none.

A measure is `reward`, an aspect (`quality`, `alignment`, `authenticity`: its score), or an aspect and `.percentile`; a
scorer before it, as in `assay-lite/quality`, asks that one. Where a guard tripped no measure has a value: a score of a
blank image means nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from ..link.failures import AssayFailure, fail
from ..results import Result

#: `raise`: the call fails. `none`, `nan`: that, in the place of the value. `worst`: the least value of the same call. A
#: number: that one, such as a floor that the trainer states.
Missing = Literal["raise", "none", "nan", "worst"] | float

_NAMED = ("raise", "none", "nan", "worst")
_ASPECTS = ("quality", "alignment", "authenticity")


@dataclass(frozen=True)
class Measure:
    """What is read off a result, by name."""

    name: str
    scorer: str | None
    aspect: str | None
    is_percentile: bool

    @classmethod
    def of(cls, name: str) -> Measure:
        """Raises BAD_REQUEST."""
        scorer, _, rest = name.rpartition("/")
        aspect, _, tail = rest.partition(".")
        if tail not in ("", "percentile") or (rest != "reward" and aspect not in _ASPECTS):
            known = ", ".join(("reward", *_ASPECTS, "quality.percentile"))
            raise fail("BAD_REQUEST", reason=f"measure {name!r}; known are {known}, each after SCORER/ if need be")
        return cls(name, scorer or None, None if rest == "reward" else aspect, tail == "percentile")

    def value(self, result: Result) -> float | None:
        if result.error or result.guards:
            return None
        if self.aspect is None:
            return result.reward
        found = (result.aspects or {}).get(self.aspect)
        if found is None:
            return None
        return found.percentile if self.is_percentile else found.score

    def why_not(self, result: Result) -> str:
        if result.error:
            return f"{result.error.message} [{result.error.code}]"
        if result.guards:
            return "; ".join(f"{guard.guard}: {guard.message}" for guard in result.guards)
        return f"its scorer gives no {self.name} here, as without a prompt"


def checked(missing: Missing) -> Missing:
    """Raises BAD_REQUEST for a choice that is none."""
    is_number = isinstance(missing, (int, float)) and not isinstance(missing, bool) and math.isfinite(missing)
    if is_number or missing in _NAMED:
        return missing
    raise fail("BAD_REQUEST", reason=f"missing={missing!r}; expected one of {', '.join(_NAMED)}, or a number")


def filled(measure: Measure, results: Sequence[Result], missing: Missing) -> list:
    """A value for each result, and for those without one what `missing` says. Raises NO_REWARD."""
    values = [measure.value(result) for result in results]
    if None not in values:
        return values
    if missing == "raise" or (missing == "worst" and not any(value is not None for value in values)):
        raise _none(
            measure, results[values.index(None)], "" if missing == "raise" else "; nor has any other of the call"
        )
    stand_in = _stand_in(missing, [value for value in values if value is not None])
    return [stand_in if value is None else value for value in values]


def _stand_in(missing: Missing, values: Iterable[float]) -> float | None:
    if missing == "none":
        return None
    if missing == "nan":
        return math.nan
    return min(values) if missing == "worst" else float(missing)


def _none(measure: Measure, result: Result, more: str) -> AssayFailure:
    return fail("NO_REWARD", id=result.id, reason=measure.why_not(result) + more)
