"""The best images of a batch or list."""

from __future__ import annotations

from ..blocking import blocker, or_blocked
from ..companions import single_latents, single_masks
from ..definitions import defined
from ..fingerprint import fingerprint
from ..images import single_images
from ..page import shown
from ..report import figure, line, summary, was_guarded
from ..request import spread, stop_on_failure, verdicts_on
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
    ):
        singles = single_images(images)
        along = [_along(single_masks(masks), singles, "masks"), _along(single_latents(latents), singles, "latents")]
        verdicts = verdicts_on(singles, list(prompt), scorer[0])
        if on_failure[0] == "stop":
            stop_on_failure(verdicts)
        scores = [candidate_score(verdict, by[0]) for verdict in verdicts]
        chosen = chosen_places(verdicts, scores, k[0], on_failure[0])
        labels = [_label(place, chosen, scores) for place in range(len(singles))]
        order = dict.fromkeys([*chosen, *range(len(singles))])
        lines = [line(place, verdicts[place], labels[place]) for place in order]
        head = summary(verdicts, f": {sum(scores[c] is not None for c in chosen)} chosen by {by[0]}")
        ui = shown(unique_id[0], head, lines, verdicts, labels)
        result = (
            or_blocked([singles[place][None] for place in chosen]),
            *(_picked(things, chosen) for things in along),
            or_blocked(list(chosen)),
            selection_masks(images, set(chosen)),
            or_blocked([scores[place] for place in chosen]),
            "\n".join([head, *lines]),
        )
        return {"ui": ui, "result": result}


def chosen_places(verdicts: list[dict], scores: list[float | None], k: int, on_failure: str) -> list[int]:
    """The best k, best first; with `pass` all images in their order when not one could be scored."""
    if on_failure == "pass" and all(verdict.get("error") for verdict in verdicts):
        return list(range(len(verdicts)))
    return ranked(scores)[:k]


def candidate_score(verdict: dict, by: str) -> float | None:
    """What an image is ranked by; None when it must not win: it failed, tripped a guard, or lacks the number."""
    return None if verdict.get("error") or was_guarded(verdict) else figure(verdict, by)


def ranked(scores: list[float | None]) -> list[int]:
    """Places of the scored, best first; the earlier of two equals."""
    return sorted((i for i, score in enumerate(scores) if score is not None), key=lambda i: -scores[i])


def _along(things: list | None, singles: list, what: str) -> list | None:
    return None if things is None else spread(things, len(singles), what)


def _picked(things: list | None, chosen: list[int]) -> list:
    return or_blocked([things[place] for place in chosen]) if things else [blocker()]


def _label(place: int, chosen: list[int], scores: list[float | None]) -> str:
    if place not in chosen:
        return "" if scores[place] is not None else "not ranked"
    return f"best {chosen.index(place) + 1}" if scores[place] is not None else "passed unscored"
