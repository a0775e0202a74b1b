# A copy of python-shim/comfyui/report.py, made by `npm run generate`.
"""Verdicts in words, and as plain data for the page."""

from __future__ import annotations

import math

ASPECTS = ("quality", "alignment", "authenticity")
#: Lines shown on a node; the report output has them all.
SHOWN_LINES = 12
#: Prompts shown, and characters of each.
SHOWN_PROMPTS = 3
SHOWN_TEXT = 200
#: Verdicts sent to the page: it draws no more.
SENT_VERDICTS = 64


def finite(value: object) -> float | None:
    """A finite float, or None for all else."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) else None


def aspect_figure(verdict: dict, aspect: str, key: str) -> float | None:
    """A number of one aspect, e.g. its `score` or `percentile`; None when the verdict has none."""
    scores = (verdict.get("aspects") or {}).get(aspect) or {}
    return finite(scores.get(key))


def figure(verdict: dict, name: str) -> float | None:
    """`reward`, or the score of an aspect; None when missing."""
    return finite(verdict.get("reward")) if name == "reward" else aspect_figure(verdict, name, "score")


def was_guarded(verdict: dict) -> bool:
    """Whether a pixel check found that the model's numbers mean nothing here."""
    return bool(verdict.get("guards"))


def failure_line(verdict: dict) -> str:
    """What happened, its code and what to do; empty for a verdict with scores."""
    error = verdict.get("error")
    if not error:
        return ""
    return f"{error.get('message', '')} [{error.get('code', '')}] {error.get('fix', '')}".rstrip()


def reasons(verdict: dict) -> list[str]:
    """Why the decision is what it is; a tripped guard counts even where nothing was decided."""
    if verdict.get("error"):
        return [failure_line(verdict)]
    found = [str(reason) for reason in verdict.get("reasons") or []]
    return found or [f"{g.get('guard')}: {g.get('message')}" for g in verdict.get("guards") or []]


def figures_line(verdict: dict) -> str:
    """`quality 3.41 (62 %) · reward 0.60`."""
    parts = []
    for aspect in ASPECTS:
        score, percentile = (aspect_figure(verdict, aspect, key) for key in ("score", "percentile"))
        if score is not None:
            parts.append(f"{aspect} {score:.2f}" + ("" if percentile is None else f" ({percentile:.0%})"))
    reward = finite(verdict.get("reward"))
    return " · ".join([*parts, *([] if reward is None else [f"reward {reward:.2f}"])])


def line(place: int, verdict: dict, label: str = "", more: str = "") -> str:
    """One image in one line: its place counted from 0, what became of it, its figures, the reasons, what was cut."""
    head = f"#{place}" + (f" {label}" if label else "")
    if error := verdict.get("error"):  # in full in the summary
        return f"{head}: no score [{error.get('code', '')}]"
    why = "; ".join(filter(None, [*reasons(verdict), more]))
    parts = [figures_line(verdict), why, *(f"note: {note}" for note in notes(verdict))]
    return f"{head}: {' – '.join(filter(None, parts)) or 'no score'}"


def notes(verdict: dict) -> list[str]:
    """What was cut or not applied; what is said of the prompt stands in a line of its own."""
    return [str(note) for note in verdict.get("notes") or [] if not str(note).startswith("prompt: ")]


def prompt_lines(verdicts: list[dict]) -> list[str]:
    """Which prompts were judged, where they come from, and why there is none; each once."""
    lines = list(dict.fromkeys(filter(None, map(_prompt_line, verdicts))))
    rest = len(lines) - SHOWN_PROMPTS
    return lines if rest <= 0 else [*lines[:SHOWN_PROMPTS], f"… and {rest} prompts more"]


def _prompt_line(verdict: dict) -> str | None:
    source, prompt = verdict.get("promptSource") or {}, verdict.get("prompt")
    reason = source.get("reason")
    if not prompt:
        return f"no prompt: {reason}" if reason else None
    is_certain = source.get("certain", True)
    place = "" if source.get("from") in (None, "request") else f"from {source['from']}"
    head = "prompt" if is_certain else "prompt (uncertain)"
    return f"{head}: {' – '.join(filter(None, [_short(prompt), place, None if is_certain else reason]))}"


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= SHOWN_TEXT else f"{flat[:SHOWN_TEXT]}…"


def summary(verdicts: list[dict], counts: str) -> str:
    """The first line of a report: how many images, what became of them, and the failure if there was one."""
    missing = [v for v in verdicts if v.get("error")]
    head = f"{len(verdicts)} {'image' if len(verdicts) == 1 else 'images'}{counts}"
    if not missing:
        return head
    return "\n".join([head, *dict.fromkeys(f"Not scored: {failure_line(verdict)}" for verdict in missing)][:4])


def shortened(lines: list[str]) -> list[str]:
    """The first lines, and how many more there are."""
    rest = len(lines) - SHOWN_LINES
    return lines if rest <= 0 else [*lines[:SHOWN_LINES], f"… and {rest} more"]


def plain(verdict: dict, label: str) -> dict:
    """What the page draws of one image."""
    aspects = {a: s for a, s in (verdict.get("aspects") or {}).items() if isinstance(s, dict)}
    keys = ("score", "range", "percentile", "interval")
    return sanitised(
        {
            "label": label,
            "reasons": reasons(verdict),
            "reward": verdict.get("reward"),
            "aspects": {a: {key: s.get(key) for key in keys} for a, s in aspects.items()},
            "error": (verdict.get("error") or {}).get("code"),
        }
    )


def sanitised(value: object) -> object:
    """Only what JSON has: the host's process ends over anything else, and its page over NaN and infinities."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return finite(value)
    if isinstance(value, dict):
        return {str(key): sanitised(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [sanitised(inner) for inner in value]
    return str(value)
