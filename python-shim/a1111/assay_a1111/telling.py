"""What a job tells at its end: in the answer of the API, and below the gallery."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from .failures import AssayFailure
from .report import line, plain, prompt_lines, sanitised, shortened, summary

#: The key in `extra_generation_params` of the answer's `info`.
KEY = "Assay"


@dataclass
class Outcome:
    """What became of one image."""

    prompt: str
    negative_prompt: str
    seed: int
    subseed: int
    verdict: dict
    label: str
    #: Whether the host goes on with it: saves it, and hands it out.
    stays: bool
    #: Whether it counts among those that are to be kept.
    counts: bool = False


class Report(dict):
    """For the answer alone: hosts that take functions ask it for a text of an image, and it has none."""

    def __call__(self, **_others) -> None:
        return None


def report_of(outcomes: list[Outcome], ends: list[str], failure: AssayFailure | None, seconds: float) -> Report:
    """`ends`: what is to be said of the job as a whole; `seconds`: what judging has added to it."""
    images = [_image(outcome) for outcome in outcomes]
    stamps = [outcome.verdict.get("scorer") for outcome in outcomes if outcome.verdict.get("scorer")]
    return Report(
        version=1,
        summary=_head(outcomes),
        notes=ends,
        seconds=round(seconds, 3),
        error=failure and {"code": failure.code, "message": failure.message, "fix": failure.fix},
        scorer=sanitised(stamps[0]) if stamps else None,
        images=images,
    )


def words(outcomes: list[Outcome], ends: list[str]) -> list[str]:
    """The same for people, a line each."""
    verdicts = [outcome.verdict for outcome in outcomes]
    lines = [line(place, outcome.verdict, outcome.label) for place, outcome in enumerate(outcomes)]
    return [*_head(outcomes).split("\n"), *shortened(lines), *ends, *prompt_lines(verdicts)]


def _head(outcomes: list[Outcome]) -> str:
    counts = Counter(outcome.label for outcome in outcomes)
    told = ", ".join(f"{count} {label}" for label, count in counts.items())
    return summary([outcome.verdict for outcome in outcomes], f": {told}" if told else "")


def _image(outcome: Outcome) -> dict:
    found = plain(outcome.verdict, outcome.label)
    decision = outcome.verdict.get("decision")
    return {
        "seed": int(outcome.seed),
        "subseed": int(outcome.subseed),
        "stays": outcome.stays,
        "decision": decision if isinstance(decision, str) else None,
        **found,
    }
