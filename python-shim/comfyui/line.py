# A copy of python-shim/assay_client/link/line.py, made by `npm run generate`.
"""One open websocket to the daemon, and the answers that are due on it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from .failures import AssayFailure, fail, from_answer
from .wire import pack, unpack

#: Close code for a message that is too big.
_TOO_BIG = 1009


class Lost(AssayFailure):
    """The connection broke while an answer was due; asking again on a new one may help."""


class Line:
    """Answers come in any order; each request is matched by its id.

    `dismiss` is called when the loop ends under the open line: then nobody else can.
    """

    def __init__(self, socket, url: str, dismiss: Callable[[], Awaitable[None]]):
        self.socket = socket
        self._dismiss = dismiss
        self._url = url
        self._due: dict[object, asyncio.Future] = {}
        #: The daemon has said that it closes the connection.
        self._is_ending = False
        self._reader = asyncio.ensure_future(self._read())

    @property
    def is_open(self) -> bool:
        return not self._is_ending and not self.socket.closed and not self._reader.done()

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
        except asyncio.CancelledError:
            await self.socket.close()
            await self._dismiss()
            raise
        finally:
            self._end_all(self._lost())

    def _settle(self, answer: dict) -> None:
        failure = None if answer.get("ok") else from_answer(answer.get("error"))
        due = self._due.get(answer.get("id"))
        if due is None:
            if failure and answer.get("id") is None:  # a frame that the daemon could not even read
                self._is_ending = failure.code == "BODY_TOO_LARGE"
                self._end_all(failure)
        elif not due.done():
            due.set_exception(failure) if failure else due.set_result(answer)

    def _end_all(self, failure: AssayFailure) -> None:
        for due in self._due.values():
            if not due.done():
                due.set_exception(failure)

    def _lost(self) -> AssayFailure:
        """The daemon ends the connection over a message beyond its limit, and does not say whose it is."""
        if self.socket.close_code == _TOO_BIG:
            return fail("BODY_TOO_LARGE", maxBytes="limits.maxBodyBytes")
        said = fail("DAEMON_UNREACHABLE", url=self._url, reason="the connection was lost")
        return Lost(said.code, said.message, said.fix)
