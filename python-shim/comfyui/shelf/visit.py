"""One run at a shelf: what it brings, what stays, and what goes on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from ..images import raw_image
from ..inputs import Pictures
from ..report import sanitised, was_guarded
from ..scoring import score_images
from .folder import ShelfFolder
from .goods import Goods, storable
from .shelf import Card, Shelf, stamp_of, to_plain

#: Of the files of one shelf, and with them what a run has in memory.
MOST_BYTES = 2 * 2**30

NOT_SCORED, NOT_RANKED, SEEN, ON_SHELF, WORSE = "not scored", "not ranked", "seen before", "on the shelf", "not better"


@dataclass(frozen=True)
class Wanted:
    """What the widgets say."""

    by: str
    k: int
    after: int
    is_reset: bool
    on_failure: str
    name: str


class Visit:
    """Raises SHELF_DAMAGED. Nothing is written before `end`."""

    def __init__(self, folder: ShelfFolder, wanted: Wanted):
        self._folder = folder
        self._wanted = wanted
        #: Of what this run brings, by id.
        self._brought: dict[str, Goods] = {}
        #: What became of each image of this run, and the cards of those that are ranked.
        self.fates: list[str] = []
        self._cards: dict[int, Card] = {}
        self.notes: list[str] = []
        self.shelf = Shelf() if wanted.is_reset else folder.read()
        self._before = None if wanted.is_reset else to_plain(self.shelf, wanted.name)
        if wanted.is_reset:
            self.notes.append("reset is on: the shelf was emptied first, and is in each run until you switch it off")
        if self.shelf.is_given_out:
            self.shelf = Shelf()

    def renew(self, verdicts: list[dict], scorer: str) -> None:
        """Images that another scorer has judged are judged again: figures of two scorers are not compared."""
        stamps = {stamp_of(verdict) for verdict in verdicts if not verdict.get("error")}
        old = [card for card in self.shelf.cards if stamps and stamp_of(card.verdict) not in stamps]
        found = [(card, goods) for card in old if (goods := self._folder.goods_of(card))]
        if not found:
            return
        images, prompts = [goods.image[0] for _, goods in found], [card.prompt for card, _ in found]
        anew = score_images(images, prompts, {"scorer": scorer})
        for (card, _), verdict in zip(found, anew):
            if not verdict.get("error"):
                card.verdict = _lean(verdict)
        failed = sum(1 for verdict in anew if verdict.get("error"))
        self.notes.append(f"{len(found)} on the shelf had the figures of another scorer and were scored again")
        if failed:
            self.notes.append(f"{failed} of them could not be scored, and keep the figures of the other scorer")

    def bring(self, given: Pictures, verdicts: list[dict], prompts: list[str], seeds: dict[str, int]) -> None:
        """Takes what is new and has a score, and keeps the best.

        Raises ValueError where what is on the shelf has no such score: it is not thrown away for that.
        """
        by, k, name = self._wanted.by, self._wanted.k, self._wanted.name
        if lacking := self.shelf.lacking(by):
            raise ValueError(
                f"Assay Shelf: {lacking} of {len(self.shelf.cards)} images on the shelf {name} have no {by}: rank "
                "them by something else or by their earlier scorer, use another name, or switch reset on for one run"
            )
        self.fates = [self._fate(place, given, verdicts[place], prompts, seeds) for place in range(len(verdicts))]
        gone = self.shelf.keep_best(list(self._cards.values()), by, k, MOST_BYTES)
        kept = {card.id for card in self.shelf.cards}
        for place, card in self._cards.items():
            self.fates[place] = ON_SHELF if card.id in kept else WORSE
        self._tell(gone)

    def take(self) -> list[tuple[Card, Goods]]:
        """What goes on now, best first; nothing while it is held back."""
        if self.is_held():
            return []
        found = []
        for card in self.shelf.cards:
            goods = self._brought.get(card.id) or self._folder.goods_of(card)
            if goods:
                found.append((card, goods))
            else:
                self.notes.append(f"the file of an image on the shelf is gone or damaged, and it left: {card.id}")
        self.shelf.cards = [card for card, _ in found]
        self.shelf.is_given_out = bool(self._wanted.after and found)
        return found

    def is_held(self) -> bool:
        return self.shelf.count < self._wanted.after

    def end(self) -> None:
        """Writes the shelf where it has changed. Raises SHELF_UNWRITABLE."""
        if to_plain(self.shelf, self._wanted.name) != self._before:
            self._folder.write(self.shelf, self._wanted.name, self._brought)

    def _fate(self, place: int, given: Pictures, verdict: dict, prompts: list[str], seeds: dict[str, int]) -> str:
        if verdict.get("error"):
            return NOT_SCORED
        card = Card(_digest(given.images[place]), _lean(verdict), prompts[place], seeds, place, 0)
        if card.score(self._wanted.by) is None and not was_guarded(verdict):
            return NOT_RANKED
        if not self.shelf.see(card.id):
            return SEEN
        if was_guarded(verdict):
            return NOT_RANKED
        goods = self._goods(place, given)
        card.size = goods.size()
        self._brought[card.id], self._cards[place] = goods, card
        return WORSE

    def _goods(self, place: int, given: Pictures) -> Goods:
        latent, lost = storable(given.latents[place] if given.latents else None)
        if lost:
            self.notes.append(f"of the latent of #{place} a shelf cannot keep {', '.join(lost)}")
        mask = given.masks[place] if given.masks else None
        return Goods(given.images[place][None], mask, latent)

    def _tell(self, gone: list[Card]) -> None:
        known = {card["id"] for card in (self._before or {}).get("cards", [])}
        k, kept = self._wanted.k, len(self.shelf.cards)
        if kept < k and gone:
            self.notes.append(f"there is room for {kept} of {k}: a shelf holds {MOST_BYTES // 2**30} GiB")
        elif (fewer := sum(card.id in known for card in gone)) > len(self._cards):
            self.notes.append(f"{fewer} left the shelf, as k is {k} now")
        if self.fates and all(fate == SEEN for fate in self.fates):
            self.notes.append("nothing new came: let the seed change after each run (control after generate)")


def _digest(image) -> str:
    """Equal for pictures with the same pixels."""
    raw, _ = raw_image(image)
    head = f"{raw['format']} {raw['width']} {raw['height']} "
    return hashlib.blake2b(head.encode() + bytes(raw["data"]), digest_size=10).hexdigest()


def _lean(verdict: dict) -> dict:
    return sanitised({key: value for key, value in verdict.items() if key not in ("timings", "id", "source")})
