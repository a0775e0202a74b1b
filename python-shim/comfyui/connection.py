"""One websocket to the daemon, opened when first needed and again when it was lost. It lives on one event loop."""

from __future__ import annotations

import asyncio
import os
from urllib.parse import urlsplit, urlunsplit

from .failures import AssayFailure, fail, from_answer
from .wire import pack, unpack

PROTOCOL = "assay.v1.msgpack"
DEFAULT_URL = "http://127.0.0.1:7878"
CONNECT_S = 1.5
#: After a connect that timed out, others fail at once for so long: a run with many nodes shall not wait for each.
SILENCE_S = 3.0
_GREETINGS = {401: "UNAUTHORIZED", 403: "HOST_REFUSED"}


class Lost(AssayFailure):
    """The connection broke while an answer was due; asking again on a new one may help."""


class _Line:
    """One open websocket and the answers that are due on it."""

    def __init__(self, socket, url: str):
        self.socket = socket
        self._url = url
        self._due: dict[int, asyncio.Future] = {}
        self._reader = asyncio.ensure_future(self._read())

    @property
    def is_open(self) -> bool:
        return not self.socket.closed and not self._reader.done()

    async def ask(self, message_id: int, frame: bytes) -> dict:
        due = self._due[message_id] = asyncio.get_running_loop().create_future()
        try:
            await self.socket.send_bytes(frame)
            return await due
        except (ConnectionError, OSError) as cause:
            raise self._lost() from cause
        finally:
            self._due.pop(message_id, None)
            if due.done() and not due.cancelled():
                due.exception()  # seen: a send that fails leaves it unread

    async def drop(self, message_id: int) -> None:
        """Tells the daemon that nobody waits for this answer any more."""
        if self.is_open:
            await self.socket.send_bytes(pack({"id": f"drop-{message_id}", "op": "cancel", "target": message_id}))

    async def close(self) -> None:
        await self.socket.close()
        await asyncio.wait([self._reader], timeout=1)

    async def _read(self) -> None:
        try:
            async for message in self.socket:
                if isinstance(message.data, bytes):
                    self._settle(unpack(message.data))
        except ValueError:
            await self.socket.close()
        finally:
            self._end_all(self._lost())

    def _settle(self, answer: dict) -> None:
        failure = None if answer.get("ok") else from_answer(answer.get("error"))
        due = self._due.get(answer.get("id"))
        if due is None:
            if failure and answer.get("id") is None:  # a frame that the daemon could not even read
                self._end_all(failure)
        elif not due.done():
            due.set_exception(failure) if failure else due.set_result(answer)

    def _end_all(self, failure: AssayFailure) -> None:
        for due in self._due.values():
            if not due.done():
                due.set_exception(failure)

    def _lost(self) -> Lost:
        said = fail("DAEMON_UNREACHABLE", url=self._url, reason="the connection was lost")
        return Lost(said.code, said.message, said.fix)


class Connection:
    """The daemon at `url`. Coroutines must run on one and the same loop."""

    def __init__(self, url: str, token: str | None = None):
        self.url = url.rstrip("/")
        self._headers = {"X-Assay-Client": "comfyui"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._http = None
        self._line: _Line | None = None
        self._opening: asyncio.Lock | None = None
        self._silent_until = 0.0
        self._farewells: set[asyncio.Future] = set()

    @classmethod
    def from_environment(cls) -> Connection:
        return cls(os.environ.get("ASSAY_URL") or DEFAULT_URL, os.environ.get("ASSAY_TOKEN"))

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

    async def get(self, path: str, timeout: float) -> dict:
        """The JSON that GET `path` answers. Raises AssayFailure."""
        import aiohttp

        limit = aiohttp.ClientTimeout(total=timeout)
        try:
            async with self._session().get(f"{self.url}{path}", timeout=limit) as response:
                if response.status != 200:
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

    def _leave(self, line: _Line) -> None:
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
            self._http = aiohttp.ClientSession(headers=self._headers)
        return self._http

    async def _opened(self) -> _Line:
        self._opening = self._opening or asyncio.Lock()
        async with self._opening:
            if self._line is None or not self._line.is_open:
                self._line = None
                self._line = await self._open()
            return self._line

    async def _open(self) -> _Line:
        import aiohttp

        clock = asyncio.get_running_loop().time
        if clock() < self._silent_until:
            raise self._unreachable(asyncio.TimeoutError(), CONNECT_S)
        try:
            connecting = self._session().ws_connect(
                _socket_url(self.url), protocols=[PROTOCOL], max_msg_size=0, autoping=True
            )
            socket = await asyncio.wait_for(connecting, CONNECT_S)
        except aiohttp.WSServerHandshakeError as cause:
            raise self._refused(cause.status) from cause
        except asyncio.TimeoutError as cause:
            self._silent_until = clock() + SILENCE_S
            raise self._unreachable(cause, CONNECT_S) from cause
        except (aiohttp.ClientError, OSError, ValueError) as cause:
            raise self._unreachable(cause, CONNECT_S) from cause
        if socket.protocol != PROTOCOL:
            await socket.close()
            raise fail("DAEMON_UNKNOWN", url=self.url, found="it does not speak " + PROTOCOL)
        return _Line(socket, self.url)

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
