"""What `IS_CHANGED` returns: which scorer would answer, and how often scoring has failed.

ComfyUI keeps results while this stays the same. Another model changes it; so does each failure, so that
what a failed run let through is never taken for a result.
"""

from __future__ import annotations

import itertools
from concurrent.futures import TimeoutError as FutureTimeout

from .failures import AssayFailure
from .waiting import daemon, submit

#: Seconds; asked before each run, on the thread that runs it.
DEADLINE_S = 0.5

_failures = 0
_unknown = itertools.count(1)


def note_failure() -> None:
    """Results of this run shall not be kept for the next."""
    global _failures
    _failures += 1


def failures_so_far() -> int:
    return _failures


def fingerprint(scorer: str) -> str:
    """Text, not NaN, since ComfyUI writes it into the files it saves. Never raises; new each time without a daemon."""
    try:
        stamp = _stamp(submit(daemon().get("/v1/scorers", DEADLINE_S)).result(DEADLINE_S * 2), scorer)
    except (AssayFailure, FutureTimeout, LookupError, TypeError, StopIteration):
        stamp = f"unknown-{next(_unknown)}"
    return f"{stamp}#{_failures}"


def _stamp(answer: dict, wanted: str) -> str:
    """Raises LookupError or StopIteration when there is no such scorer. The first one of an id is what it means."""
    chosen = next(s for s in answer["scorers"] if (wanted in _names(s) if wanted else s["default"]))
    return "@".join(str(chosen[key]) for key in ("id", "version", "variant"))


def _names(scorer: dict) -> tuple[str, str]:
    return scorer["id"], f"{scorer['id']}@{scorer['version']}"
