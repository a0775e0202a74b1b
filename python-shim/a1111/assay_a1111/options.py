"""What the panel or a call of the API asks for, checked before anything is made."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .definitions import INPUTS
from .failures import AssayFailure, fail
from .policy import complaint, policy_for

KEEP, DROP, MOVE = "keep", "drop", "move"


@dataclass(frozen=True)
class Options:
    """By the names of the panel's inputs."""

    enabled: bool
    action: str
    measure: str
    threshold: float
    aspect: str
    unsure_within_interval: bool
    unsure: str
    on_failure: str
    keep: int
    at_most: int
    vary: float
    scorer: str

    @property
    def policy(self) -> dict:
        return policy_for(self.aspect, self.measure, self.threshold, self.unsure_within_interval)


def is_enabled(args: tuple) -> bool:
    """Whether anything is wanted; the rest of the arguments is not looked at when not."""
    first = args[0] if args else None
    return (first.get("enabled", True) if isinstance(first, dict) else first) not in (None, False, 0)


def harmless(args: tuple) -> Options:
    """What holds where the arguments make no sense: defaults, and the rule for failures where that makes sense."""
    defaults = {described["name"]: described["default"] for described in INPUTS}
    try:
        rule = {"on_failure": _named(args).get("on_failure", "pass")}
        return options_of(({"enabled": True, **rule},))
    except AssayFailure:
        return Options(**defaults)


def options_of(args: tuple) -> Options:
    """Arguments in the order of the panel, or one object with their names. What is missing has its default.

    Raises BAD_REQUEST naming the argument.
    """
    given = _named(args)
    values = {described["name"]: _value(described, given.get(described["name"])) for described in INPUTS}
    options = Options(**values)
    if wrong := complaint(options.measure, options.threshold) or _unreachable(options):
        raise _bad(wrong)
    return options


def beyond_range(options: Options, verdict: dict) -> AssayFailure | None:
    """Why no image can pass, as the scorer's verdict of one tells: a MOS above its range."""
    limits = ((verdict.get("aspects") or {}).get(options.aspect) or {}).get("range")
    if options.measure != "MOS" or not limits or options.threshold <= limits[1]:
        return None
    low, high = limits
    return _bad(f"threshold is {options.threshold:g}; {options.aspect} of this scorer is {low:g} to {high:g}")


def _named(args: tuple) -> dict:
    if args and isinstance(args[0], dict):
        names = [described["name"] for described in INPUTS]
        for name in args[0]:
            if name not in names:
                raise _bad(f"there is no argument {name!r}; there are {', '.join(names)}")
        return {"enabled": True, **args[0]}
    if len(args) > len(INPUTS):
        raise _bad(f"there are {len(args)} arguments; expected at most {len(INPUTS)}, or one object with names")
    return {described["name"]: value for described, value in zip(INPUTS, args)}


def _value(described: dict, value: object):
    if value is None:
        return described["default"]
    return _READ[described["type"]](described, value)


def _flag(described: dict, value: object) -> bool:
    if isinstance(value, bool) or value in (0, 1):
        return bool(value)
    raise _unfit(described, value, "true or false")


def _choice(described: dict, value: object) -> str:
    for choice in described["choices"]:
        if isinstance(value, str) and value.strip().lower() == choice.lower():
            return choice
    raise _unfit(described, value, f"one of {', '.join(described['choices'])}")


def _number(described: dict, value: object) -> float:
    low, high = described["min"], described["max"]
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number or not low <= value <= high:
        raise _unfit(described, value, f"a number from {low:g} to {high:g}")
    return float(value)


def _whole(described: dict, value: object) -> int:
    number = _number(described, value)
    if number != int(number):
        raise _unfit(described, value, "a whole number")
    return int(number)


def _text(described: dict, value: object) -> str:
    if not isinstance(value, str):
        raise _unfit(described, value, "text")
    return value.strip()


_READ = {"BOOLEAN": _flag, "COMBO": _choice, "FLOAT": _number, "INT": _whole, "STRING": _text}


def _unreachable(options: Options) -> str | None:
    if options.at_most and options.keep > options.at_most:
        return f"keep is {options.keep} and at_most is {options.at_most}: no more can be kept than are made"
    if options.at_most and not options.keep:
        return f"at_most is {options.at_most} and keep is 0; say how many images are to be kept"
    return None


def _unfit(described: dict, value: object, expected: str) -> AssayFailure:
    return _bad(f"{described['name']} is {value!r}; expected {expected}")


def _bad(reason: str) -> AssayFailure:
    """With advice for who uses the panel, where the table speaks to clients of the daemon."""
    failure = fail("BAD_REQUEST", reason=reason)
    return AssayFailure(failure.code, failure.message, "Correct it in the panel, or in `args` (docs/a1111-panel.md).")
