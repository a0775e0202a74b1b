"""A shelf in its folder: `shelf.json`, and a file of tensors for each image on it."""

from __future__ import annotations

import json
from pathlib import Path

from ..failures import fail
from ..report import sanitised
from .goods import Goods, goods_in
from .shelf import Card, Shelf, from_plain, to_plain


class ShelfFolder:
    """Read and written under a lock of the caller's. It holds nothing in memory."""

    def __init__(self, path: Path):
        self._path = path
        self._state = path / "shelf.json"

    def stamp(self) -> str:
        """Another after each change."""
        try:
            found = self._state.stat()
        except OSError:
            return "none"
        return f"{found.st_mtime_ns}-{found.st_ino}-{found.st_size}"

    def read(self) -> Shelf:
        """An empty one where there is none. Raises SHELF_DAMAGED."""
        try:
            return from_plain(json.loads(self._state.read_text("utf-8")))
        except FileNotFoundError:
            return Shelf()
        except (OSError, ValueError, LookupError, TypeError) as cause:
            raise fail("SHELF_DAMAGED", folder=self._path, reason=str(cause)) from cause

    def goods_of(self, card: Card) -> Goods | None:
        """None where its file is gone, or is none any more."""
        try:
            return goods_in(self._file(card.id))
        except Exception:  # safetensors has errors of its own, and must not be imported for their sake
            return None

    def write(self, shelf: Shelf, name: str, goods: dict[str, Goods]) -> None:
        """Writes the images in `goods` by their ids, then the shelf, then takes away what is not on it any more.

        Raises SHELF_UNWRITABLE; then the shelf is as it was.
        """
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            for card in shelf.cards:
                if card.id in goods:
                    goods[card.id].save(self._file(card.id))
            part = self._state.with_suffix(".part")
            part.write_text(json.dumps(sanitised(to_plain(shelf, name))), "utf-8")
            part.replace(self._state)
        except OSError as cause:
            raise fail("SHELF_UNWRITABLE", folder=self._path, reason=cause.strerror or str(cause)) from cause
        finally:
            self._clear()

    def _clear(self) -> None:
        """Takes away files of images that are not on the shelf as it is written."""
        try:
            kept = {card.id for card in self.read().cards}
            for file in self._path.glob("*.safetensors"):
                if file.stem not in kept:
                    file.unlink(missing_ok=True)
        except Exception:  # the next run tries again
            return

    def _file(self, id_: str) -> Path:
        return self._path / f"{id_}.safetensors"
