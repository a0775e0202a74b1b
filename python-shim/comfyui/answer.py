"""What the daemon answers to images: one result for each."""

from __future__ import annotations

from .failures import fail


def results_of(answer: dict, count: int) -> list[dict]:
    """The results of an answer; one that makes no sense is a failure, never a verdict. Raises INTERNAL."""
    results = answer.get("results")
    if not isinstance(results, list) or len(results) != count or not all(map(_makes_sense, results)):
        raise fail("INTERNAL", reason="the daemon answered something else than one result for each image")
    return results


def _makes_sense(result: object) -> bool:
    if not isinstance(result, dict):
        return False
    return isinstance(result.get("error"), dict) or result.get("decision") in ("accept", "reject", "unsure")
