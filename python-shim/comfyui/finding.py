"""Asks the daemon which prompt a workflow holds."""

from __future__ import annotations

from .failures import fail
from .waiting import daemon, first_done, submit

DEADLINE_S = 10.0


def find_prompt(workflow: dict | None) -> dict:
    """`{prompt, negative, from, certain, reason}`. Raises AssayFailure, and ComfyUI's interrupt."""
    if workflow is None:
        raise fail("INTERNAL", reason="the host does not tell its workflow, or it is too large")
    asked = submit(daemon().post("/v1/prompt", {"workflow": workflow}, DEADLINE_S))
    try:
        return first_done([asked]).pop().result()
    finally:
        asked.cancel()
