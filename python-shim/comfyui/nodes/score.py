"""Scores that go along with the images."""

from __future__ import annotations

from ..blocking import or_blocked
from ..definitions import defined
from ..fingerprint import fingerprint
from ..inputs import pictures
from ..page import shown
from ..report import ASPECTS, figure, finite, line, prompt_lines, summary
from ..request import verdicts_on

FIGURES = (*ASPECTS, "reward")


@defined("AssayScore")
class AssayScore:
    @classmethod
    def IS_CHANGED(cls, scorer=("",), **_others):
        return fingerprint(scorer[0] or "")

    def run(self, images, prompt=("",), scorer=("",), unique_id=(None,), dynprompt=(None,)):
        given = pictures(images, prompt)
        verdicts = verdicts_on(given, scorer[0], (unique_id[0], dynprompt[0]))
        lines = [line(place, verdict) for place, verdict in enumerate(verdicts)]
        span = _span([finite(verdict.get("reward")) for verdict in verdicts])
        head, ends = summary(verdicts, span + given.left_out()), prompt_lines(verdicts)
        figures = [or_blocked([figure(verdict, name) for verdict in verdicts]) for name in FIGURES]
        ui = shown(unique_id[0], head, lines, ends, verdicts, [_label(verdict) for verdict in verdicts])
        there = [batch for batch, group in zip(images, given.groups) if group]
        return {"ui": ui, "result": (or_blocked(there), *figures, "\n".join([head, *lines, *ends]))}


def _span(rewards: list) -> str:
    known = [reward for reward in rewards if reward is not None]
    span = dict.fromkeys(f"{reward:.2f}" for reward in (min(known), max(known))) if known else ()
    return f": reward {' to '.join(span)}" if span else ""


def _label(verdict: dict) -> str:
    if verdict.get("error"):
        return "not scored"
    return "rejected" if verdict.get("guards") else ""
