"""Scores that go along with the images."""

from __future__ import annotations

from ..blocking import or_blocked
from ..definitions import defined
from ..fingerprint import fingerprint
from ..images import single_images
from ..page import shown
from ..report import ASPECTS, figure, finite, line, summary
from ..request import verdicts_on

FIGURES = (*ASPECTS, "reward")


@defined("AssayScore")
class AssayScore:
    @classmethod
    def IS_CHANGED(cls, scorer=("",), **_others):
        return fingerprint(scorer[0] or "")

    def run(self, images, prompt=("",), scorer=("",), unique_id=(None,)):
        singles = single_images(images)
        verdicts = verdicts_on(singles, _per_image(prompt, images, len(singles)), scorer[0])
        lines = [line(place, verdict) for place, verdict in enumerate(verdicts)]
        head = summary(verdicts, _span([finite(verdict.get("reward")) for verdict in verdicts]))
        figures = [or_blocked([figure(verdict, name) for verdict in verdicts]) for name in FIGURES]
        ui = shown(unique_id[0], head, lines, verdicts, [_label(verdict) for verdict in verdicts])
        return {"ui": ui, "result": (images, *figures, "\n".join([head, *lines]))}


def _per_image(prompts, batches, count: int) -> list:
    """A list of batches may come with one prompt per batch."""
    if len(prompts) == len(batches) != count:
        return [text for text, batch in zip(prompts, batches) for _ in single_images(batch)]
    return list(prompts)


def _span(rewards: list) -> str:
    known = [reward for reward in rewards if reward is not None]
    return f": reward {min(known):.2f} to {max(known):.2f}" if known else ""


def _label(verdict: dict) -> str:
    if verdict.get("error"):
        return "not scored"
    return "rejected" if verdict.get("guards") else ""
