"""From the inputs of a node to one verdict per image."""

from __future__ import annotations

import logging

from .failures import AssayFailure
from .fingerprint import note_failure
from .inputs import Pictures
from .page import progress
from .report import failure_line
from .scoring import score_images
from .workflow import workflow_of

#: Failures of the image itself: the same run would fail again, so that its outputs may be kept.
_LASTING = "IMAGE_"


def verdicts_on(given: Pictures, scorer, host: tuple, policy: dict | None = None) -> list[dict]:
    """Scores images; see `score_images`. Failures that may pass keep the host from reusing this run's outputs.

    `host` has the node's id and the running workflow, in which the prompt is looked for where none is given.
    """
    node_id, dynprompt = host
    workflow = None if all(text.strip() for text in given.prompts) else workflow_of(dynprompt, node_id, "images")
    fields = {"scorer": scorer, "policy": policy, "workflow": workflow}
    found = score_images(given.images, given.prompts, fields, progress(len(given.images)))
    missing = [verdict for verdict in found if verdict.get("error")]
    if missing:
        logging.warning("Assay: %d of %d images not scored: %s", len(missing), len(found), failure_line(missing[0]))
    if not all(str(verdict["error"].get("code")).startswith(_LASTING) for verdict in missing):
        note_failure()
    return found


def prompts_of(given: Pictures, verdicts: list[dict]) -> list[str]:
    """The prompt of each image as it was written: the one given, else the one found; empty for none."""
    return [text if text.strip() else _found(verdict) for text, verdict in zip(given.prompts, verdicts)]


def _found(verdict: dict) -> str:
    source = verdict.get("promptSource") or {}
    return str(source.get("original") or verdict.get("prompt") or "")


def stop_on_failure(verdicts: list[dict]) -> None:
    """Raises the first failure, with its code and what to do."""
    for verdict in verdicts:
        if error := verdict.get("error"):
            raise AssayFailure(error.get("code", ""), error.get("message", ""), error.get("fix", ""))
