"""Reads a JSON file that holds an object: configurations and manifests, which people edit."""

from __future__ import annotations

import json
from pathlib import Path

from assay_training.data import DataError


def read_object(path: Path) -> dict:
    """Raises DataError naming the file if it is absent, no JSON, or holds something else."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: expected JSON, found what is none: {error}") from None
    if not isinstance(found, dict):
        raise DataError(f"{path}: expected a JSON object, found a {type(found).__name__}")
    return found
