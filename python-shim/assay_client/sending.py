"""Sends requests until there is an answer: waits for a daemon that starts or is full, and mends what breaks."""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket
import ssl
import uuid
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from numbers import Real

from .link.connection import Connection
from .link.failures import AssayFailure, fail
from .link.line import Lost
from .link.wire import pack

logger = logging.getLogger("assay_client")

#: Requests of one client under way: the daemon never waits for one, and they do not pile up in memory.
IN_FLIGHT = 12

#: The daemon will take the same later.
LATER = frozenset(("BUSY", "CLIENT_BUSY", "DRAINING", "SCORER_RECOVERING", "DEADLINE"))
#: Failures that the other images would meet, too: they are not sent.
_HOPELESS = frozenset(
    (
        *("DAEMON_UNREACHABLE", "DAEMON_UNKNOWN", "UNAUTHORIZED", "HOST_REFUSED", "DEADLINE"),
        *("UNKNOWN_SCORER", "UNKNOWN_PROFILE", "PYTHON_PACKAGE_MISSING", "TOKEN_UNREADABLE"),
    )
)
#: The daemon refuses a message beyond its limit unread, and cannot say whose it was: all that is under way is suspect,
#: and sent again one by one, so often.
_SUSPECTED = 2
#: Why no daemon will come, however long one waits.
_LASTING = (socket.gaierror, ssl.SSLError, PermissionError, ValueError)
_SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 2.0

_ids = itertools.count(1)


@dataclass(frozen=True)
class Patience:
    """Seconds a whole call may take, seconds without any daemon, and connections lost under one request."""

    timeout: float
    wait: float
    reconnects: int

    def __post_init__(self) -> None:
        for name, value in (("timeout", self.timeout), ("wait", self.wait), ("reconnects", self.reconnects)):
            if not isinstance(value, Real) or not value >= 0:
                raise fail("BAD_REQUEST", reason=f"{name} is {value!r}; expected a number, 0 or more")


class Gate:
    """What all calls of a client have under way together is bounded; what is suspect goes one by one."""

    def __init__(self) -> None:
        self.places = asyncio.Semaphore(IN_FLIGHT)
        self.suspects = asyncio.Lock()
        #: Whether it has been said that there is no daemon.
        self.has_said = False


class Call:
    """One call of a client: its requests, and the time that it has for all of them."""

    def __init__(self, connection: Connection, gate: Gate, fields: dict, patience: Patience):
        self.gate = gate
        self.timeout = patience.timeout
        self._connection = connection
        #: One of its messages was too large: all others go one by one, so that none is lost along with it.
        self._is_wary = False
        self._fields = fields
        self._patience = patience
        self._clock = asyncio.get_running_loop().time
        self._until = self._clock() + patience.timeout
        #: What each further request would meet, too.
        self._gone: AssayFailure | None = None

    def give_up_on(self, failure: AssayFailure) -> None:
        """Does not send the rest where it would fail the same way."""
        if failure.code in _HOPELESS:
            self._gone = failure

    async def ask(self, op: str, messages: Sequence[dict], key: str) -> dict:
        """The answer, with one result for each message. By `key` the daemon knows what it has scored already.

        Raises AssayFailure.
        """
        size = sum(len(data_of(message)) for message in messages)
        answer = await self.send(op, {"idempotencyKey": key, "items": messages}, size)
        return _checked(answer, len(messages))

    async def send(self, op: str, body: dict, size: int = 0) -> dict:
        """The answer; asks again while the daemon is full or away, and when the connection breaks. `size`: about how
        many bytes the images in it have.

        Raises AssayFailure.
        """
        id = next(_ids)
        message = {"id": id, "op": op, **self._fields, **body}
        frame = await asyncio.to_thread(pack, message, size)
        losses, suspected, absent_since, pause = 0, 0, None, _SHORTEST_PAUSE_S
        while True:
            if self._gone:
                raise self._gone
            left = self._until - self._clock()
            try:
                if left <= 0:
                    raise self.late()
                async with self.gate.suspects if self._is_wary else nullcontext():
                    answer = await self._connection.ask(id, frame, left)
                self.gate.has_said = False
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
                    raise self.late() from failure
                elif failure.code == "BODY_TOO_LARGE" and suspected < _SUSPECTED:
                    suspected += 1
                    self._is_wary = True
                elif failure.code not in LATER:
                    raise
                pause = failure.retry_after or pause
            await asyncio.sleep(max(0, min(pause, LONGEST_PAUSE_S, self._until - self._clock())))
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def _awaited(self, failure: AssayFailure, since: float | None) -> float:
        """Since when there is no daemon. Raises the failure when that is too long."""
        now = self._clock()
        if not self.gate.has_said:
            self.gate.has_said = True
            logger.warning("Assay: %s; asking again for %g s", failure.message, self._patience.wait)
        since = now if since is None else since
        if now - since >= self._patience.wait:
            raise failure
        return since

    def late(self) -> AssayFailure:
        """What is to be said of what has no outcome at the end."""
        return fail("DEADLINE", timeoutMs=round(self._patience.timeout * 1000))


def new_key() -> str:
    """A name that no other request has: of another process, after a fork, or on another machine neither."""
    return uuid.uuid4().hex


def data_of(message: dict) -> bytes:
    image = message["image"]
    return image["data"] if isinstance(image, dict) else image


def _checked(answer: dict, count: int) -> dict:
    """The answer. Raises INTERNAL for one that makes no sense."""
    results = answer.get("results")
    if not isinstance(results, list) or len(results) != count or not all(isinstance(one, dict) for one in results):
        raise fail("INTERNAL", reason="the daemon answered something else than one result for each image")
    return answer


def _is_lasting(failure: AssayFailure) -> bool:
    cause = failure.__cause__
    return isinstance(getattr(cause, "os_error", None) or cause, _LASTING)
