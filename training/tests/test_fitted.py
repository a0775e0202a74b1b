"""Fingerprints of images: by content and by name, in an order that says nothing."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from assay_training.fitted import KEPT, fingerprints


def test_fingerprints_are_sorted_hashes_of_contents_and_of_names(tmp_path: Path) -> None:
    for name in ("B.png", "a.jpg"):
        (tmp_path / name).write_bytes(name.encode())
    found = fingerprints("two images", [tmp_path / "B.png", tmp_path / "a.jpg"])

    def expected(*texts: bytes) -> bytes:
        return b"".join(sorted(hashlib.sha256(text).digest()[:KEPT] for text in texts))

    assert (found["version"], found["title"]) == (1, "two images")
    assert base64.b64decode(found["files"]) == expected(b"B.png", b"a.jpg")
    assert base64.b64decode(found["names"]) == expected(b"b", b"a")
