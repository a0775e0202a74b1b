"""Sends what a call asks, a few images at a time, and brings back one outcome for each of them, whatever happens."""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket
import ssl
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass

from .link.connection import Connection
from .link.failures import AssayFailure, fail
from .link.line import Lost
from .link.wire import pack
from .request import Item
from .results import Result, result_of

logger = logging.getLogger("assay_client")

#: A request is closed when it has so many images or bytes. The first has one image, so that the daemon starts at once,
#: and each further one twice as many.
REQUEST_IMAGES = 16
REQUEST_BYTES = 6 * 2**20
#: Requests of one client under way: the daemon never waits for one, and they do not pile up in memory.
IN_FLIGHT = 12

#: The daemon will take the same later.
_LATER = frozenset(("BUSY", "DRAINING", "SCORER_RECOVERING", "DEADLINE"))
#: Once more helps, perhaps.
_PERHAPS = frozenset(("INFERENCE_FAILED",))
#: Refusals of a whole request that may be the fault of one image.
_SHARED = frozenset(("BAD_REQUEST", "BODY_TOO_LARGE", "MALFORMED_BODY", "TOO_MANY_IMAGES"))
#: Failures that the other images would meet, too: they are not sent.
_HOPELESS = frozenset(
    (
        *("DAEMON_UNREACHABLE", "DAEMON_UNKNOWN", "UNAUTHORIZED", "HOST_REFUSED", "UNKNOWN_SCORER", "DEADLINE"),
        *("PYTHON_PACKAGE_MISSING", "TOKEN_UNREADABLE"),
    )
)
#: The daemon refuses a message beyond its limit unread, and cannot say whose it was: all that is under way is suspect,
#: and sent again one by one, so often.
_SUSPECTED = 2
#: Why no daemon will come, however long one waits.
_LASTING = (socket.gaierror, ssl.SSLError, PermissionError, ValueError)
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 2.0
#: How often an image is sent again that the daemon itself gave back without a score.
_ATTEMPTS = 3

_ids = itertools.count(1)


@dataclass(frozen=True)
class Patience:
    """Seconds a whole call may take, seconds without any daemon, and connections lost under one request."""

    timeout: float
    wait: float
    reconnects: int


class Gate:
    """What all calls of a client have under way together is bounded; what is suspect goes one by one."""

    def __init__(self) -> None:
        self.places = asyncio.Semaphore(IN_FLIGHT)
        self.suspects = asyncio.Lock()
        #: Whether it has been said that there is no daemon.
        self.has_said = False


class Call:
    """One call of a client."""

    def __init__(self, connection: Connection, gate: Gate, fields: dict, patience: Patience):
        self._connection = connection
        self._gate = gate
        #: One of its messages was too large: all others go one by one, so that none is lost along with it.
        self._is_wary = False
        self._fields = fields
        self._patience = patience
        self._clock = asyncio.get_running_loop().time
        self._until = self._clock() + patience.timeout
        #: What each further request would meet, too.
        self._gone: AssayFailure | None = None

    async def results(self, items: list[Item]) -> list[Result]:
        """In order. Raises the first failure when the daemon answered for none of the images."""
        outcomes = dict.fromkeys(range(len(items)))
        sending = [asyncio.ensure_future(self._portion(items, part, outcomes)) for part in _portions(items)]
        try:
            # Waiting for a place counts, too: others may hold them all.
            await asyncio.wait(sending, timeout=self._patience.timeout)
        finally:
            for task in sending:
                task.cancel()
        outcomes = {at: self._late() if outcome is None else outcome for at, outcome in outcomes.items()}
        failures = [outcome for outcome in outcomes.values() if isinstance(outcome, AssayFailure)]
        if failures and len(failures) == len(items):
            raise failures[0]
        return [_result(item, outcomes[at]) for at, item in enumerate(items)]

    async def rank(self, items: list[Item]) -> tuple[list[Result], dict]:
        """The results, and the answer that has their order. Raises AssayFailure: a ranking of some would mislead."""
        messages = await asyncio.to_thread(lambda: [item.message() for item in items])
        answer = await self._sent("rank", messages)
        results = _checked(answer, len(items))
        return [_result(item, raw) for item, raw in zip(items, results)], answer

    async def _portion(self, items: list[Item], part: list[int], outcomes: dict) -> None:
        """Fills in the outcomes of a part: a raw result, or a failure. Raises nothing but the cancelling."""
        try:
            async with self._gate.places:
                rest = await asyncio.to_thread(_load, items, part, outcomes)
                for attempt in range(_ATTEMPTS):
                    again = await self._ask(rest, outcomes)
                    if not again or attempt == _ATTEMPTS - 1:
                        return
                    rest = {at: rest[at] for at in again}
                    await asyncio.sleep(min(_LONGEST_PAUSE_S, 0.25 * 2**attempt))
        except AssayFailure as failure:
            if failure.code in _HOPELESS:
                self._gone = failure
            for at in part:
                outcomes[at] = outcomes[at] or failure
        except Exception as thrown:
            for at in part:
                outcomes[at] = outcomes[at] or fail("INTERNAL", reason=repr(thrown))

    async def _ask(self, messages: dict[int, dict], outcomes: dict) -> list[int]:
        """Keeps the results; those that are worth to be asked for again are returned."""
        if not messages:
            return []
        try:
            results = _checked(await self._sent("score", list(messages.values())), len(messages))
        except AssayFailure as failure:
            if failure.code not in _SHARED or len(messages) == 1:
                raise
            # One image must not cost the others their scores.
            return [again for at in messages for again in await self._alone(at, messages[at], outcomes)]
        outcomes.update(zip(messages, results))
        return [at for at in messages if ((outcomes[at] or {}).get("error") or {}).get("code") in _LATER | _PERHAPS]

    async def _alone(self, at: int, message: dict, outcomes: dict) -> list[int]:
        try:
            return await self._ask({at: message}, outcomes)
        except AssayFailure as failure:
            if failure.code not in _SHARED:
                raise
            outcomes[at] = failure
            return []

    async def _sent(self, op: str, messages: list[dict]) -> dict:
        """The answer; asks again while the daemon is full or away, and when the connection breaks."""
        id = next(_ids)
        size = sum(len(_data(message)) for message in messages)
        frame = await asyncio.to_thread(pack, {"id": id, "op": op, **self._fields, "items": messages}, size)
        losses, suspected, absent_since, pause = 0, 0, None, _SHORTEST_PAUSE_S
        while True:
            if self._gone:
                raise self._gone
            left = self._until - self._clock()
            try:
                if left <= 0:
                    raise self._late()
                async with self._gate.suspects if self._is_wary else nullcontext():
                    answer = await self._connection.ask(id, frame, left)
                self._gate.has_said = False
                return answer
            except Lost as failure:
                losses += 1
                absent_since = None
                if losses > self._patience.reconnects:
                    raise
                logger.info("Assay: %s", failure.message)
            except AssayFailure as failure:
                if failure.code == "DAEMON_UNREACHABLE" and not _is_lasting(failure):
                    absent_since = self._awaited(failure, absent_since)
                elif failure.code == "DEADLINE" and self._until - self._clock() <= 0:
                    raise self._late() from failure
                elif failure.code == "BODY_TOO_LARGE" and suspected < _SUSPECTED:
                    suspected += 1
                    self._is_wary = True
                elif failure.code not in _LATER:
                    raise
                pause = failure.retry_after or pause
            await asyncio.sleep(max(0, min(pause, _LONGEST_PAUSE_S, self._until - self._clock())))
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    def _awaited(self, failure: AssayFailure, since: float | None) -> float:
        """Since when there is no daemon. Raises the failure when that is too long."""
        now = self._clock()
        if not self._gate.has_said:
            self._gate.has_said = True
            logger.warning("Assay: %s; asking again for %g s", failure.message, self._patience.wait)
        since = now if since is None else since
        if now - since >= self._patience.wait:
            raise failure
        return since

    def _late(self) -> AssayFailure:
        return fail("DEADLINE", timeoutMs=round(self._patience.timeout * 1000))


def _load(items: list[Item], part: list[int], outcomes: dict) -> dict[int, dict]:
    """The messages of a part by index; those that cannot be made are outcomes."""
    messages = {}
    for at in part:
        try:
            messages[at] = items[at].message()
        except AssayFailure as failure:
            outcomes[at] = failure
        except Exception as thrown:
            outcomes[at] = fail("INTERNAL", reason=repr(thrown))
    return messages


def _data(message: dict) -> bytes:
    image = message["image"]
    return image["data"] if isinstance(image, dict) else image


def _checked(answer: dict, count: int) -> list[dict]:
    """The results of an answer. Raises INTERNAL for one that makes no sense."""
    results = answer.get("results")
    if not isinstance(results, list) or len(results) != count or not all(isinstance(one, dict) for one in results):
        raise fail("INTERNAL", reason="the daemon answered something else than one result for each image")
    return results


def _result(item: Item, outcome: dict | AssayFailure | None) -> Result:
    notes = item.picture.notes
    if isinstance(outcome, AssayFailure):
        return Result(id=item.id, group=item.group, source=item.picture.source, notes=tuple(notes), error=outcome)
    try:
        return result_of(outcome or {}, item.id, item.group, notes)
    except (KeyError, TypeError, ValueError, AttributeError) as cause:
        failure = fail("INTERNAL", reason=f"a result of the daemon makes no sense: {cause!r}")
        return Result(id=item.id, group=item.group, error=failure)


def _is_lasting(failure: AssayFailure) -> bool:
    cause = failure.__cause__
    return isinstance(getattr(cause, "os_error", None) or cause, _LASTING)


def _portions(items: list[Item]) -> Iterator[list[int]]:
    """Indexes of the images of each request."""
    part: list[int] = []
    size, most = 0, 1
    for at, item in enumerate(items):
        more = item.picture.size
        if part and (len(part) >= most or size + more > REQUEST_BYTES):
            yield part
            part, size, most = [], 0, min(2 * most, REQUEST_IMAGES)
        part.append(at)
        size += more
    if part:
        yield part
