"""Where shelves are: a folder each, beside what else the host keeps for its users."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from ..failures import fail

#: Whoever makes a new name in each run must not fill the disk.
MOST_SHELVES = 100
_LONGEST_SLUG = 40


def shelf_folder(name: str) -> Path:
    """Its folder, whether it is there or not. Raises SHELVES_FULL where it would be one too many."""
    shelves = _shelves()
    folder = shelves / _slug(name)
    if not folder.exists() and (count := _folders_in(shelves)) >= MOST_SHELVES:
        raise fail("SHELVES_FULL", count=count, folder=shelves)
    return folder


def _shelves() -> Path:
    from folder_paths import get_user_directory

    # Names of users never begin like this, so that the host serves nothing from it.
    return Path(get_user_directory()) / "__assay" / "shelves"


def _folders_in(shelves: Path) -> int:
    return sum(1 for _ in shelves.iterdir()) if shelves.exists() else 0


def _slug(name: str) -> str:
    """Readable, safe as the name of a folder, and another for each name."""
    words = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:_LONGEST_SLUG]
    return f"{words or 'shelf'}-{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:8]}"
