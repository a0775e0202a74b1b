"""The reject bin of the daemon, filled from here: `<folder>/<day>/<name>.<id>.png`, and beside each image a sidecar
that says why. `assay rejects` lists and restores what is in it.

Only the host has the image as it would have been saved, and knows where; so it writes, and the daemon only says where
its bin is.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from io import BytesIO
from pathlib import Path

from .daemon import Daemon
from .failures import fail
from .report import sanitised

_DIGITS = 12


@dataclass
class Rejected:
    """An image that was never saved: the file it would have been, and why it is none."""

    png: bytes
    original: Path
    verdict: dict
    reasons: list[str]


class Bin:
    """`host`: the address of the UI, for people."""

    def __init__(self, folder: Path, host: str):
        self.folder = folder
        self._host = host

    @classmethod
    def of(cls, daemon: Daemon, host: str) -> Bin:
        """Raises AssayFailure when the daemon does not tell, or its paths are not those of this machine."""
        if not daemon.is_here:
            raise fail("REJECT_BIN_UNUSABLE", path=f"of {daemon.url}", reason="the daemon runs on another machine")
        folder = daemon.get("/v1/rejects").get("folder")
        if not isinstance(folder, str) or not Path(folder).is_absolute():
            raise fail("REJECT_BIN_UNUSABLE", path=f"of {daemon.url}", reason="the daemon does not say where it is")
        return cls(Path(folder), host)

    def put(self, rejected: Rejected) -> None:
        """The sidecar is there before the image; nothing is left of what fails. Raises REJECT_BIN_UNUSABLE."""
        now = datetime.now(timezone.utc)
        sidecar = self._sidecar(rejected, now)
        original = rejected.original
        place = self.folder / now.strftime("%Y-%m-%d") / f"{original.stem}.{sidecar['id']}{original.suffix}"
        beside = place.with_name(place.name + ".json")
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            place.parent.mkdir(mode=0o700, exist_ok=True)
            text = json.dumps(sidecar, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
            half = beside.with_name(f"{beside.name}.{uuid.uuid4().hex[:8]}.tmp")
            _write(half, beside, text.encode("utf-8", "replace"))
            try:
                _write(place.with_name(place.name + ".part"), place, rejected.png)
            except OSError:
                beside.unlink(missing_ok=True)
                raise
        except OSError as cause:
            raise fail("REJECT_BIN_UNUSABLE", path=self.folder, reason=cause.strerror or cause) from cause

    def _sidecar(self, rejected: Rejected, now: datetime) -> dict:
        original = rejected.original
        # The host's folders of outputs lie side by side in one.
        image = {"type": "output", "subfolder": original.parent.name, "filename": original.name}
        names = [self._host, *image.values(), str(rejected.verdict.get("sha256") or "")]
        return {
            "version": 1,
            "id": hashlib.sha256("\0".join(names).encode("utf-8", "replace")).hexdigest()[:_DIGITS],
            "original": str(original),
            "host": self._host,
            "image": image,
            "sha256": hashlib.sha256(rejected.png).hexdigest(),
            "movedAt": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "reasons": rejected.reasons,
            "result": sanitised(rejected.verdict),
        }


def png_of(image, infotext: str) -> bytes:
    """A file as the host would have saved it, with its text."""
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("parameters", infotext)
    file = BytesIO()
    image.save(file, "PNG", pnginfo=info, compress_level=1)
    return file.getvalue()


def _write(half: Path, whole: Path, data: bytes) -> None:
    """The file gets its name once it is whole."""
    try:
        with open(half, "wb", opener=_private) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        half.rename(whole)
    finally:
        with suppress(OSError):
            half.unlink()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
