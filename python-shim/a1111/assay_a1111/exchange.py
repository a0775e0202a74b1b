"""One HTTP request on a thread of its own, which whoever waits for it can leave behind."""

from __future__ import annotations

import http.client
import json
import os
import queue
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from .failures import AssayFailure, fail, from_answer
from .packing import Buffer

#: An answer has some kilobytes for each image.
MOST_ANSWER = 64 * 2**20
#: The daemon has too much to do, and will take the same later.
_FULL = frozenset(("BUSY", "CLIENT_BUSY"))
_LONGEST_PAUSE_S = 2.0


class Exchange(threading.Thread):
    """Asks for a JSON object. `patience`: seconds for which a full daemon is asked again."""

    def __init__(
        self,
        url: str,
        connect: Callable[[], http.client.HTTPConnection],
        request: tuple[str, str, list[Buffer], dict[str, str]],
        finished: queue.SimpleQueue,
        patience: float = 0.0,
    ):
        super().__init__(name="assay", daemon=True)
        self._url = url
        self._connect = connect
        self._request = request
        self._finished = finished
        self._patience = patience
        self._connection: http.client.HTTPConnection | None = None
        self._was_left = threading.Event()
        self._answer: dict = {}
        self._failure: AssayFailure | None = None

    def result(self) -> dict:
        """The answer of a finished exchange. Raises AssayFailure."""
        if self._failure:
            raise self._failure
        return self._answer

    def leave(self) -> None:
        """Nobody waits any more: the thread ends soon, whatever the other side does."""
        self._was_left.set()
        if sock := getattr(self._connection, "sock", None):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def run(self) -> None:
        try:
            self._answer = self._asked()
        except AssayFailure as failure:
            self._failure = failure
        except Exception as thrown:
            self._failure = fail("INTERNAL", reason=repr(thrown))
        self._finished.put(self)

    def _asked(self) -> dict:
        patient_until = time.monotonic() + self._patience
        while True:
            try:
                return self._once()
            except AssayFailure as failure:
                pause = min(failure.retry_after or 1.0, _LONGEST_PAUSE_S)
                if failure.code not in _FULL or time.monotonic() + pause > patient_until:
                    raise
                if self._was_left.wait(pause):
                    raise

    def _once(self) -> dict:
        method, path, body, headers = self._request
        length = {"Content-Length": str(sum(map(len, body)))} if body else {}
        self._connection = self._connect()
        try:
            self._connection.request(method, path, iter(body) if body else None, {**headers, **length})
            response = self._connection.getresponse()
            data = response.read(MOST_ANSWER + 1)
        except (OSError, ValueError) as cause:
            raise unreachable(self._url, cause) from cause
        except http.client.HTTPException as cause:
            raise fail("DAEMON_UNKNOWN", url=self._url, found="it does not speak HTTP") from cause
        finally:
            self._connection.close()
        return self._read(response.status, data)

    def _read(self, status: int, data: bytes) -> dict:
        try:
            answer = json.loads(data)
        except ValueError:
            answer = None
        if isinstance(answer, dict):
            if status == 200:
                return answer
            if isinstance(answer.get("error"), dict) and answer["error"].get("code"):
                raise from_answer(answer["error"])
        raise fail("DAEMON_UNKNOWN", url=self._url, found=f"status {status}" if status != 200 else "another answer")


def unreachable(url: str, cause: BaseException) -> AssayFailure:
    """Says what the system says."""
    if isinstance(cause, (TimeoutError, socket.timeout)):
        return silent(url)
    number = getattr(cause, "errno", None)
    reason = os.strerror(number) if number and number > 0 else str(cause) or type(cause).__name__
    return fail("DAEMON_UNREACHABLE", url=url, reason=reason)


def silent(url: str) -> AssayFailure:
    return fail("DAEMON_UNREACHABLE", url=url, reason="it is silent")
