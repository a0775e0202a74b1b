"""Scores in the text that the host writes into an image: keys that begin with Assay."""

from __future__ import annotations

from .report import ASPECTS, aspect_figure, finite, reasons

PREFIX = "Assay "


class Note(str):
    """The value of one image of a batch. Hosts that take functions call it for each image; the others take it as text,
    and it is set anew for each."""

    index: int

    def __new__(cls, text: str, index: int):
        note = super().__new__(cls, text)
        note.index = index
        return note

    def __call__(self, index=None, use_main_prompt=False, **_others) -> str | None:
        """None for the text of a grid, which shows many images."""
        return None if use_main_prompt or index != self.index else str(self)


def write_notes(parameters: dict, verdict: dict, label: str, index: int) -> None:
    """Puts the keys of an image in the place of those of another."""
    erase_notes(parameters)
    for key, text in noted(verdict, label).items():
        parameters[PREFIX + key] = Note(text, index)


def erase_notes(parameters: dict) -> None:
    for key in [key for key, value in parameters.items() if isinstance(value, Note)]:
        del parameters[key]


def noted(verdict: dict, label: str) -> dict[str, str]:
    """Key and text, in the order in which they are written."""
    found = {"verdict": label}
    if error := verdict.get("error"):
        return {**found, "failure": str(error.get("code", ""))}
    for aspect in ASPECTS:
        score, percentile = (aspect_figure(verdict, aspect, key) for key in ("score", "percentile"))
        if score is not None:
            found[aspect] = f"{score:.2f}"
            if percentile is not None:
                found[f"{aspect} percentile"] = f"{percentile:.2f}"
    reward = finite(verdict.get("reward"))
    if reward is not None:
        found["reward"] = f"{reward:.2f}"
    if why := reasons(verdict):
        found["reason"] = "; ".join(why)
    return {**found, **_scorer(verdict)}


def _scorer(verdict: dict) -> dict[str, str]:
    stamp = verdict.get("scorer") or {}
    if not stamp.get("id"):
        return {}
    weights = str(stamp.get("weights", "")).removeprefix("sha256:")[:10]
    return {"scorer": " ".join(filter(None, [str(stamp["id"]), str(stamp.get("version", "")), weights]))}
