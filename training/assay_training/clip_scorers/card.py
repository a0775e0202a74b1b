"""Writes the card of a CLIP and a formula."""

from __future__ import annotations

from assay_training.clip.model import Clip
from assay_training.clip_scorers.presets import Preset, score_range


def card(row: Preset, clip: Clip, scale: float, name: str) -> str:
    """Markdown: what it is, how it is read, where it comes from; `name` is CLIP's."""
    config, (low, high) = clip.config, score_range(row, scale)
    limits = [limit.format(context=config.context) for limit in row.limits]
    read = [
        row.reading,
        f"Scores are cut to {low:g}..{high:g}, a frame for what such scores are. It is no scale of opinions.",
        f"CLIP {name} at {config.side} pixels, activation {config.activation}, scale {scale:.4g}.",
    ]
    texts = [f"| {aspect} | `{text}` |" for aspect, pair in row.texts.items() for text in pair]
    table = ["", "| aspect | text |", "|---|---|", *texts] if texts else []
    sections = [
        f"# {row.title}\n\n{row.lead}",
        "\n".join(["## How it is read", "", *(f"- {line}" for line in read), *table]),
        f"## Source and licence\n\nMade for: {row.needs}. From: {row.source}.\n{row.terms}",
        "\n".join(["## Limits", "", *(f"- {limit}" for limit in limits)]),
    ]
    return "\n\n".join(sections) + "\n"
