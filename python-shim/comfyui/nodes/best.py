"""The best images of a batch or list."""

from __future__ import annotations

from ..blocking import or_blocked
from ..definitions import defined
from ..fingerprint import fingerprint
from ..giving import given_out
from ..inputs import one, pictures
from ..page import shown
from ..report import figure, line, prompt_lines, summary, was_guarded
from ..request import prompts_of, stop_on_failure, verdicts_on
from ..selection import selection_masks


@defined("AssayBest")
class AssayBest:
    @classmethod
    def IS_CHANGED(cls, scorer=("",), **_others):
        return fingerprint(scorer[0] or "")

    def run(
        self,
        images,
        by,
        k,
        on_failure,
        masks=None,
        latents=None,
        prompt=("",),
        scorer=("",),
        unique_id=(None,),
        dynprompt=(None,),
    ):
        by, k = one(by, "by", "Assay Best"), one(k, "k", "Assay Best")
        given = pictures(images, prompt, masks, latents)
        verdicts = verdicts_on(given, scorer[0], (unique_id[0], dynprompt[0]))
        if on_failure[0] == "stop":
            stop_on_failure(verdicts)
        choice = Choice(verdicts, by, k, on_failure[0])
        labels = [choice.label(place) for place in range(len(verdicts))]
        lines = [line(place, verdicts[place], labels[place], choice.why_not(place)) for place in choice.order()]
        head, ends = summary(verdicts, choice.count() + given.left_out()), prompt_lines(verdicts)
        ui = shown(unique_id[0], head, lines, ends, verdicts, labels)
        chosen_images, chosen_masks, chosen_latents, prompts, indexes = given_out(
            given, choice.chosen, prompts_of(given, verdicts)
        )
        result = (
            chosen_images,
            chosen_masks,
            chosen_latents,
            indexes,
            or_blocked(selection_masks(images, set(choice.chosen))),
            or_blocked([choice.scores[place] for place in choice.chosen]),
            "\n".join([head, *lines, *ends]),
            prompts,
        )
        return {"ui": ui, "result": result}


class Choice:
    """Which images are chosen, and why the others are not. Raises ValueError when none can be, with the rule `stop`."""

    def __init__(self, verdicts: list[dict], by: str, k: int, on_failure: str):
        self._verdicts = verdicts
        self._by = by
        self._k = k
        self.scores = [candidate_score(verdict, by) for verdict in verdicts]
        self.chosen = ranked(self.scores)[:k]
        if verdicts and not self.chosen:
            if on_failure == "stop":
                raise ValueError(f"Assay Best: no image can be ranked by {by}: {self.why_not(0)}")
            if on_failure == "pass":
                self.chosen = list(range(len(verdicts)))

    def order(self) -> list[int]:
        """Places, the chosen first."""
        return list(dict.fromkeys([*self.chosen, *range(len(self._verdicts))]))

    def label(self, place: int) -> str:
        if place in self.chosen:
            if self.scores[place] is not None:
                return f"best {self.chosen.index(place) + 1}"
            return "passed unscored" if self._verdicts[place].get("error") else "passed unranked"
        return "not ranked" if self.scores[place] is None else ""

    def why_not(self, place: int) -> str:
        """Why an image is not ranked, or not chosen in spite of its score; empty for others."""
        verdict = self._verdicts[place]
        if self.scores[place] is None:
            return "" if verdict.get("error") or was_guarded(verdict) else self._missing(verdict)
        ties = [c for c in self.chosen if self.scores[c] == self.scores[place]]
        return f"ties with #{ties[-1]}, which came first" if ties and place not in self.chosen else ""

    def count(self) -> str:
        """What became of all of them, in words."""
        ranked_count = sum(score is not None for score in self.scores)
        if self._verdicts and not ranked_count:
            rule = "all go on as they came" if self.chosen else "none goes on"
            return f": none can be ranked by {self._by}, {rule}"
        fewer = f" of {self._k} wanted" if ranked_count < self._k and self._k > 1 else ""
        return f": {min(ranked_count, self._k)}{fewer} chosen by {self._by}"

    def _missing(self, verdict: dict) -> str:
        """Why a verdict that is no failure lacks the number."""
        if self._by == "alignment" and not verdict.get("prompt"):
            return "no alignment without a prompt"
        return f"the scorer does not predict its {self._by}"


def candidate_score(verdict: dict, by: str) -> float | None:
    """What an image is ranked by; None when it must not win: it failed, tripped a guard, or lacks the number."""
    return None if verdict.get("error") or was_guarded(verdict) else figure(verdict, by)


def ranked(scores: list[float | None]) -> list[int]:
    """Places of the scored, best first; the earlier of two equals."""
    return sorted((i for i, score in enumerate(scores) if score is not None), key=lambda i: -scores[i])
