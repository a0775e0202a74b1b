"""One websocket to the daemon, opened when first needed and again when it was lost. It lives on one event loop."""

from __future__ import annotations

import asyncio
import os
import socket
from urllib.parse import urlsplit, urlunsplit

from . import settings
from .failures import AssayFailure, fail
from .line import Line

PROTOCOL = "assay.v1.msgpack"
#: In front of the path of a socket, as the daemon prints it.
UNIX = "unix:"
CONNECT_S = 1.5
#: After a connect that timed out, others fail at once for so long: a run with many nodes shall not wait for each.
SILENCE_S = 3.0
_GREETINGS = {401: "UNAUTHORIZED", 403: "HOST_REFUSED"}


class Connection:
    """The daemon at `url`, or at `unix:` and a path. Coroutines must run on one and the same loop.

    `client` is what the daemon calls us, in its log and where it is fair between clients; `connect` is how many seconds
    an opening may take.
    """

    def __init__(self, url: str, token: str | None = None, client: str | None = None, connect: float = CONNECT_S):
        self.url = url.rstrip("/")
        self._socket = self.url.removeprefix(UNIX) if self.url.startswith(UNIX) else None
        self._base = self.url if self._socket is None else "http://localhost"
        self._connect_s = connect
        self._headers = {"X-Assay-Client": client} if client else {}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._http = None
        self._line: Line | None = None
        self._opening: asyncio.Lock | None = None
        self._silent_until = 0.0
        self._farewells: set[asyncio.Future] = set()

    @classmethod
    def from_environment(cls, client: str) -> Connection:
        """Raises CONFIG_INVALID, TOKEN_UNREADABLE."""
        return cls(settings.url(), settings.token(), client)

    async def ask(self, message_id: int, frame: bytes, timeout: float) -> dict:
        """Sends a packed message and waits for its answer, which is `ok`.

        Raises AssayFailure: Lost, DAEMON_UNREACHABLE, DEADLINE, or what the daemon refuses with. When cancelled,
        or after `timeout` seconds, the daemon is told to stop.
        """
        line = await self._opened()
        try:
            return await asyncio.wait_for(line.ask(message_id, frame), timeout)
        except (asyncio.CancelledError, asyncio.TimeoutError) as end:
            self._say(line.drop(message_id))
            if isinstance(end, asyncio.CancelledError):
                raise
            self._leave(line)
            raise fail("DEADLINE", timeoutMs=round(timeout * 1000)) from end

    async def get(self, path: str, timeout: float, also: int = 200) -> dict:
        """The JSON that GET `path` answers, with status 200 or `also`. Raises AssayFailure."""
        return await self._call("GET", path, None, timeout, also)

    async def post(self, path: str, body: dict, timeout: float) -> dict:
        """The JSON that POST `path` answers. Raises AssayFailure."""
        return await self._call("POST", path, body, timeout)

    async def _call(self, method: str, path: str, body: dict | None, timeout: float, also: int = 200) -> dict:
        import aiohttp

        limit = aiohttp.ClientTimeout(total=timeout)
        try:
            async with self._session().request(method, f"{self._base}{path}", json=body, timeout=limit) as response:
                if response.status not in (200, also):
                    raise self._refused(response.status)
                return await response.json()
        except (aiohttp.ClientError, OSError, ValueError, asyncio.TimeoutError) as cause:
            raise self._unreachable(cause, timeout) from cause

    async def close(self) -> None:
        if self._line:
            await self._line.close()
        if self._http:
            await self._http.close()
        self._line = self._http = None

    def abandon(self) -> object:
        """Lets go of what belongs to another loop or process, where nothing can be closed, and returns it."""
        left = (self._line, self._http, self._http and self._http.connector)
        if self._http:
            self._http.detach()
        self._line = self._http = None
        return left

    def _leave(self, line: Line) -> None:
        """The daemon has a shorter deadline of its own: a line on which nothing came is dead, though it looks open."""
        if self._line is line:
            self._line = None
        self._say(line.close())

    def _say(self, sending) -> None:
        farewell = asyncio.ensure_future(_quietly(sending))
        self._farewells.add(farewell)  # the loop itself would forget it
        farewell.add_done_callback(self._farewells.discard)

    def _session(self):
        import aiohttp

        if self._http is None or self._http.closed:
            self._http = aiohttp.ClientSession(headers=self._headers, connector=self._connector())
        return self._http

    def _connector(self):
        import aiohttp

        if self._socket is None:
            return None
        if not hasattr(socket, "AF_UNIX"):
            raise fail("DAEMON_UNREACHABLE", url=self.url, reason="this system has no unix sockets")
        return aiohttp.UnixConnector(path=self._socket)

    async def _opened(self) -> Line:
        self._opening = self._opening or asyncio.Lock()
        async with self._opening:
            if self._line is None or not self._line.is_open:
                self._line = None
                self._line = await self._open()
            return self._line

    async def _open(self) -> Line:
        import aiohttp

        clock = asyncio.get_running_loop().time
        if clock() < self._silent_until:
            raise self._unreachable(asyncio.TimeoutError(), self._connect_s)
        try:
            connecting = self._session().ws_connect(
                _socket_url(self._base), protocols=[PROTOCOL], max_msg_size=0, autoping=True
            )
            opened = await asyncio.wait_for(connecting, self._connect_s)
        except aiohttp.WSServerHandshakeError as cause:
            raise self._refused(cause.status) from cause
        except asyncio.TimeoutError as cause:
            self._silent_until = clock() + SILENCE_S
            raise self._unreachable(cause, self._connect_s) from cause
        except (aiohttp.ClientError, OSError, ValueError) as cause:
            raise self._unreachable(cause, self._connect_s) from cause
        if opened.protocol != PROTOCOL:
            await opened.close()
            raise fail("DAEMON_UNKNOWN", url=self.url, found="it does not speak " + PROTOCOL)
        return Line(opened, self.url, self._session().close)

    def _refused(self, status: int) -> AssayFailure:
        host = urlsplit(self.url).hostname or self.url
        if status == 503:
            return fail("DAEMON_UNREACHABLE", url=self.url, reason="it is shutting down")
        if status in _GREETINGS:
            return fail(_GREETINGS[status], host=host)
        return fail("DAEMON_UNKNOWN", url=self.url, found=f"status {status}")

    def _unreachable(self, cause: BaseException, timeout: float) -> AssayFailure:
        if isinstance(cause, asyncio.TimeoutError):
            reason = f"no answer within {timeout:g} s"
        else:
            inner = getattr(cause, "os_error", None) or cause
            number = getattr(inner, "errno", None)
            reason = os.strerror(number) if number and number > 0 else str(inner) or type(inner).__name__
        return fail("DAEMON_UNREACHABLE", url=self.url, reason=reason)


def _socket_url(url: str) -> str:
    parts = urlsplit(url)
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
    return urlunsplit((scheme, parts.netloc, f"{parts.path}/v1/ws", "", ""))


async def _quietly(sending) -> None:
    """A farewell that cannot be sent is not needed either."""
    try:
        await asyncio.wait_for(sending, CONNECT_S)
    except Exception:
        return
