"""What is on a shelf, best first, and which images it has seen. Nothing here touches a file."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from ..report import figure, was_guarded

#: Pictures that are known again; older ones would count once more.
MOST_SEEN = 10_000
VERSION = 1


@dataclass
class Card:
    """What is known of a kept image beside its tensors."""

    #: Digest of its pixels, and the name of its file.
    id: str
    verdict: dict
    #: As given or found; empty for none.
    prompt: str
    #: By node and input.
    seeds: dict[str, int]
    #: In its run, counted from 0.
    place: int
    #: Bytes of its tensors.
    size: int

    def score(self, by: str) -> float | None:
        """What it is ranked by; None when it cannot be."""
        return None if self.verdict.get("error") or was_guarded(self.verdict) else figure(self.verdict, by)


@dataclass
class Shelf:
    cards: list[Card] = field(default_factory=list)
    #: Digests of pictures that were judged, oldest first.
    seen: list[str] = field(default_factory=list)
    #: How many different ones were.
    count: int = 0
    #: Its images have gone on: the next run begins anew.
    is_given_out: bool = False

    def see(self, digest: str) -> bool:
        """Whether a picture is new; it is known from now on."""
        if digest in self.seen:
            return False
        self.seen = [*self.seen, digest][-MOST_SEEN:]
        self.count += 1
        return True

    def keep_best(self, new: list[Card], by: str, k: int, most_bytes: int) -> list[Card]:
        """Keeps the best of the old and the new; of equals those that came first. Returns what has to go.

        At least one stays, however large.
        """
        everything = [*self.cards, *new]
        scored = [(score, card) for card in everything if (score := card.score(by)) is not None]
        ranked = [card for _, card in sorted(scored, key=lambda pair: -pair[0])]
        self.cards = []
        for card in ranked[:k]:
            if self.cards and sum(kept.size for kept in self.cards) + card.size > most_bytes:
                break
            self.cards.append(card)
        return [card for card in everything if card not in self.cards]

    def lacking(self, by: str) -> int:
        """How many on it have no such number: it is not asked for, or the scorer of now has none for them."""
        return sum(card.score(by) is None for card in self.cards)


def stamp_of(verdict: dict) -> tuple:
    """Which scorer a verdict is from: figures of two are not compared."""
    scorer = verdict.get("scorer") or {}
    return tuple(scorer.get(key) for key in ("id", "version", "weights", "calibration"))


def to_plain(shelf: Shelf, name: str) -> dict:
    return {"version": VERSION, "name": name, **asdict(shelf)}


def from_plain(value: dict) -> Shelf:
    """Raises ValueError, KeyError or TypeError for what is no shelf, or one of another version."""
    if value["version"] != VERSION:
        raise ValueError(f"it is of version {value['version']}, and these nodes read version {VERSION}")
    cards = [Card(**card) for card in value["cards"]]
    return Shelf(cards, list(value["seen"]), int(value["count"]), bool(value["is_given_out"]))
