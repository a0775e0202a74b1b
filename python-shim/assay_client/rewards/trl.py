"""Functions as TRL's GRPOTrainer calls them: each column as a list by keyword, and None for "does not apply"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..client import AssayClient
from ..link.failures import fail
from .asking import ask
from .measures import Measure, filled


def grpo_reward(
    measure: str = "reward", *, images: str = "images", client: AssayClient | None = None
) -> Callable[..., list[float | None]]:
    """A reward function; `images` names the column, or the keyword, that has them.

    A row without an image has None, and so has one without a reward: the trainer leaves that row out.
    """
    wanted = Measure.of(measure)

    def assay_reward(prompts: list, **columns: Any) -> list[float | None]:
        if images not in columns:
            given = ", ".join(sorted(columns)) or "none"
            raise fail("BAD_REQUEST", reason=f"no column {images!r}; images= is one of those that came: {given}")
        pictures = columns[images]
        if len(pictures) != len(prompts):
            raise fail("BAD_REQUEST", reason=f"{len(pictures)} of {images!r} for {len(prompts)} prompts")
        rows = [at for at, picture in enumerate(pictures) if picture is not None]
        values: list[float | None] = [None] * len(prompts)
        if rows:
            asked = [pictures[at] for at in rows]
            results = ask(client, [wanted], asked, [_text(prompts[at]) for at in rows])[wanted.scorer]
            for at, value in zip(rows, filled(wanted, results, "none")):
                values[at] = value
        return values

    # What the trainer calls it in its log.
    assay_reward.__name__ = f"assay_{wanted.name.replace('/', '_').replace('.', '_')}"
    return assay_reward


def _text(prompt: Any) -> str | None:
    """A prompt, or what the user said last in one that is a conversation."""
    if prompt is None or isinstance(prompt, str):
        return prompt
    said = [turn["content"] for turn in prompt if turn.get("role") == "user"]
    content = said[-1] if said else None
    if isinstance(content, list):
        return " ".join(part["text"] for part in content if part.get("type") == "text")
    return content
