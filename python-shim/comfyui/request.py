"""From the inputs of a node to one verdict per image."""

from __future__ import annotations

import logging

from .failures import AssayFailure
from .fingerprint import note_failure
from .page import progress
from .report import failure_line
from .scoring import score_images


def spread(values: list, count: int, what: str) -> list:
    """One value per image: as many as there are, or one for all. Raises ValueError for another number."""
    if len(values) == count:
        return list(values)
    if len(values) == 1:
        return list(values) * count
    raise ValueError(f"Assay: {count} images, but {len(values)} {what}; give one for each image or one for all")


def verdicts_on(images: list, prompts: list, scorer: str, policy: dict | None = None) -> list[dict]:
    """Scores images [H, W, C]; see `score_images`. Failures keep the host from reusing this run's outputs."""
    texts = spread([text or "" for text in prompts or [""]], len(images), "prompts") if images else []
    found = score_images(images, texts, scorer, policy, progress(len(images)))
    missing = [verdict for verdict in found if verdict.get("error")]
    if missing:
        note_failure()
        logging.warning("Assay: %d of %d images not scored: %s", len(missing), len(found), failure_line(missing[0]))
    return found


def stop_on_failure(verdicts: list[dict]) -> None:
    """Raises the first failure, with its code and what to do."""
    for verdict in verdicts:
        if error := verdict.get("error"):
            raise AssayFailure(error.get("code", ""), error.get("message", ""), error.get("fix", ""))
