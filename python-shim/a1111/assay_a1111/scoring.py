"""Scores images through the daemon: a few at a time, several requests under way, one verdict per image."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator

from .answer import results_of
from .daemon import Daemon
from .exchange import Exchange
from .failures import AssayFailure
from .pictures import Picture

#: A request is closed when it has so many images or bytes. The first has one image, so that the daemon starts at once,
#: and each further one twice as many: what is sent too early takes time from the first inference.
REQUEST_IMAGES = 8
REQUEST_BYTES = 8 * 2**20
#: Requests under way: enough that the daemon never waits for one.
IN_FLIGHT = 3
#: Refusals of a whole request that may be the fault of one image.
SHARED = frozenset(("BAD_REQUEST", "BODY_TOO_LARGE", "MALFORMED_BODY"))


def failed(failure: AssayFailure) -> dict:
    """The verdict on an image that has no score."""
    return {"error": {"code": failure.code, "message": failure.message, "fix": failure.fix}}


def score_pictures(
    daemon: Daemon, pictures: list[Picture], fields: dict, check: Callable[[], None] = lambda: None
) -> tuple[list[dict], AssayFailure | None]:
    """One verdict per image, in order: a ScoreResult of the daemon, or only `error` {code, message, fix}; and what all
    further images would meet, too.

    `fields` go along with each request: scorer, policy. Raises only what `check` raises, which is called all the while.
    """
    run = _Run(daemon, pictures, {key: value for key, value in fields.items() if value}, check)
    try:
        return run.verdicts(), run.gone
    finally:
        run.leave()


class _Run:
    def __init__(self, daemon: Daemon, pictures: list[Picture], fields: dict, check: Callable[[], None]):
        self._daemon = daemon
        self._pictures = pictures
        self._fields = fields
        self._check = check
        self._verdicts: list[dict] = [failed(p.failure) if p.failure else {} for p in pictures]
        self._due: dict[Exchange, list[int]] = {}
        self._finished: queue.SimpleQueue = queue.SimpleQueue()
        self._again: list[int] = []
        self._is_alone = False
        #: What the images that are not sent yet would meet, too.
        self.gone: AssayFailure | None = None

    def verdicts(self) -> list[dict]:
        for places in _portions(self._pictures):
            self._drain(IN_FLIGHT - 1)
            self._send(places)
        self._drain()
        # One image must not cost the others their scores: what was refused in company is sent again alone.
        again, self._again = self._again, []
        self._is_alone = True
        for place in again:
            self._send([place])
            self._drain()
        return self._verdicts

    def leave(self) -> None:
        for exchange in self._due:
            exchange.leave()

    def _drain(self, most: int = 0) -> None:
        while len(self._due) > most:
            self._collect()

    def _send(self, places: list[int]) -> None:
        if self.gone:
            return self._fail(places, self.gone)
        items = [{"image": self._pictures[place].raw, "prompt": self._pictures[place].prompt} for place in places]
        # There is a prompt or there is none: without workflow and file there is nothing to look in.
        message = {**self._fields, "items": [{**item, "prompt": item["prompt"] or None} for item in items]}
        self._due[self._daemon.post("/v1/score", message, self._finished)] = places
        return None

    def _collect(self) -> None:
        try:
            exchange = self._daemon.first_of(set(self._due), self._finished, self._check)
        except AssayFailure as failure:
            return self._give_up(failure)
        places = self._due.pop(exchange)
        try:
            results = results_of(exchange.result(), len(places))
        except AssayFailure as failure:
            return self._refuse(places, failure)
        for place, result in zip(places, results):
            notes = [*(result.get("notes") or []), *self._pictures[place].notes]
            self._verdicts[place] = {**result, "notes": notes}
        return None

    def _refuse(self, places: list[int], failure: AssayFailure) -> None:
        if failure.code not in SHARED:
            self.gone = failure
        elif not self._is_alone and len(places) > 1:
            self._again.extend(places)
            return
        self._fail(places, failure)

    def _give_up(self, failure: AssayFailure) -> None:
        self.gone = failure
        for exchange, places in self._due.items():
            exchange.leave()
            self._fail(places, failure)
        self._due.clear()

    def _fail(self, places: list[int], failure: AssayFailure) -> None:
        for place in places:
            self._verdicts[place] = failed(failure)


def _portions(pictures: list[Picture]) -> Iterator[list[int]]:
    """Places of the images of each request; those that failed by themselves are in none."""
    portion: list[int] = []
    size = 0
    most = 1
    for place, one in enumerate(pictures):
        if not one.raw:
            continue
        if portion and (len(portion) >= most or size + one.bytes > REQUEST_BYTES):
            yield portion
            portion, size, most = [], 0, min(2 * most, REQUEST_IMAGES)
        portion.append(place)
        size += one.bytes
    if portion:
        yield portion
