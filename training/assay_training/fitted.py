"""Fingerprints of the images that a scorer was fitted to: `assay eval` tells when it is measured on them."""

from __future__ import annotations

import base64
import hashlib
import unicodedata
from collections.abc import Iterable
from pathlib import Path

FILE = "fitted.json"
KEPT = 6  # bytes of a hash: none of a million other images is taken for one of these by chance


def fingerprints(title: str, images: Iterable[Path]) -> dict:
    """Contents of fitted.json: hashes of the files, and of their names without extension in small letters."""
    paths = list(images)
    names = (unicodedata.normalize("NFC", path.stem).lower().encode() for path in paths)
    return {
        "version": 1,
        "title": title,
        "files": _joined(path.read_bytes() for path in paths),
        "names": _joined(names),
    }


def _joined(texts: Iterable[bytes]) -> str:
    """First bytes of each SHA-256, sorted, so that the order of the images is not told."""
    return base64.b64encode(b"".join(sorted(hashlib.sha256(text).digest()[:KEPT] for text in texts))).decode()
