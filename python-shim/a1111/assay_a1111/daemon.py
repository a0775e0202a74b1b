"""Where the daemon is, and what is asked of it. No wait for it outlasts its life by two seconds."""

from __future__ import annotations

import http.client
import queue
import socket
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from . import settings
from .exchange import Exchange, silent
from .failures import AssayFailure, fail
from .packing import packed

#: In front of the path of a socket, as the daemon prints it.
UNIX = "unix:"
#: Longest time for what the daemon answers at once.
PROMPT_S = 1.5
#: While an answer is due, the daemon is asked so often whether it lives, and has so long to say so.
PULSE_EVERY_S, PULSE_S = 0.4, 1.4
#: Longest time for the scores of one request of a daemon that lives.
ANSWER_S = 60.0
#: How long a full daemon is asked again.
PATIENCE_S = 10.0
#: Between two looks at whether the user has interrupted the job.
_SLICE_S = 0.02
#: A system call of the connection itself never takes longer; a left one is ended by hand.
_SOCKET_S = ANSWER_S


class Daemon:
    """The daemon at `url`, or at `unix:` and a path."""

    def __init__(self, url: str, token: str | None = None):
        self.url = url.rstrip("/")
        self._connect, self._prefix = _door(self.url)
        self._headers = {"Accept": "application/json", "X-Assay-Client": "a1111"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    @classmethod
    def from_environment(cls) -> Daemon:
        """Raises CONFIG_INVALID, TOKEN_UNREADABLE."""
        return cls(settings.url(), settings.token())

    @property
    def is_here(self) -> bool:
        """Whether its paths are those of this machine, as far as the address tells."""
        return self.url.startswith(UNIX) or urlsplit(self.url).hostname in ("127.0.0.1", "localhost", "::1")

    def get(self, path: str) -> dict:
        """The JSON of a quick route. Raises AssayFailure."""
        finished: queue.SimpleQueue = queue.SimpleQueue()
        asked = self._start("GET", path, None, finished)
        try:
            return finished.get(timeout=PROMPT_S).result()
        except queue.Empty:
            raise silent(self.url) from None
        finally:
            asked.leave()

    def post(self, path: str, message: dict, finished: queue.SimpleQueue) -> Exchange:
        """Sends a message; the exchange comes into the queue when it is finished."""
        return self._start("POST", path, message, finished, PATIENCE_S)

    def _start(self, method: str, path: str, message, finished: queue.SimpleQueue, patience: float = 0.0) -> Exchange:
        body = [] if message is None else packed(message)
        headers = {**self._headers, **({"Content-Type": "application/msgpack"} if body else {})}
        exchange = Exchange(self.url, self._connect, (method, self._prefix + path, body, headers), finished, patience)
        exchange.start()
        return exchange

    def first_of(self, due: set[Exchange], finished: queue.SimpleQueue, check: Callable[[], None]) -> Exchange:
        """Waits for one of what is due, and sees meanwhile that the daemon lives. `check` may raise.

        Raises DAEMON_UNREACHABLE when it does not, DEADLINE.
        """
        pulse = _Pulse(self)
        until = time.monotonic() + ANSWER_S
        try:
            while True:
                check()
                try:
                    exchange = finished.get(timeout=_SLICE_S)
                except queue.Empty:
                    pulse.feel()
                    if time.monotonic() > until:
                        raise fail("DEADLINE", timeoutMs=round(ANSWER_S * 1000)) from None
                else:
                    if exchange in due:
                        return exchange
        finally:
            pulse.end()


class _Pulse:
    """Whether a daemon still answers what costs it nothing."""

    def __init__(self, daemon: Daemon):
        self._daemon = daemon
        self._since = time.monotonic()
        self._asked: Exchange | None = None
        self._finished: queue.SimpleQueue = queue.SimpleQueue()

    def feel(self) -> None:
        """Raises DAEMON_UNREACHABLE."""
        elapsed = time.monotonic() - self._since
        if self._asked is None:
            if elapsed >= PULSE_EVERY_S:
                self._since = time.monotonic()
                self._asked = self._daemon._start("GET", "/healthz", None, self._finished)
        elif not self._finished.empty():
            self._finished.get().result()
            self.end()
        elif elapsed >= PULSE_S:
            raise silent(self._daemon.url)

    def end(self) -> None:
        if self._asked:
            self._asked.leave()
        self._asked = None
        self._since = time.monotonic()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str):
        super().__init__("localhost", timeout=_SOCKET_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_SOCKET_S)
        self.sock.connect(self._path)


def _door(url: str) -> tuple[Callable[[], http.client.HTTPConnection], str]:
    """What opens a connection, and what stands in front of each path. Raises CONFIG_INVALID, DAEMON_UNREACHABLE."""
    if url.startswith(UNIX):
        if not hasattr(socket, "AF_UNIX"):
            raise fail("DAEMON_UNREACHABLE", url=url, reason="this system has no unix sockets")
        return lambda: _UnixConnection(url.removeprefix(UNIX)), ""
    try:
        parts = urlsplit(url)
        made = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}[parts.scheme]
        host, port = parts.hostname or "", parts.port
        if not host:
            raise ValueError
    except (KeyError, ValueError):
        raise _no_address(url) from None
    return lambda: made(host, port, timeout=_SOCKET_S), parts.path


def _no_address(url: str) -> AssayFailure:
    return fail("CONFIG_INVALID", source="ASSAY_URL", key="url", found=url, expected="http://…, https://… or unix:PATH")
