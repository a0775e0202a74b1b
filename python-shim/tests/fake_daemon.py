"""A daemon that speaks the real protocol over a real socket and does what a test tells it."""

from __future__ import annotations

import asyncio

import msgpack
import numpy as np
from aiohttp import WSMsgType, web

PROTOCOL = "assay.v1.msgpack"


def error(code: str, **more) -> dict:
    return {"ok": False, "error": {"code": code, "message": f"{code} happened", "fix": "Mend it.", **more}}


def aspect(score: float) -> dict:
    return {
        "score": score,
        "range": [0, 5],
        "percentile": score / 5,
        "interval": [max(0, score - 1), min(5, score + 1)],
        "coverage": 0.9,
    }


def result(item: dict, policy: dict | None) -> dict:
    """Quality is brightness, 0..5; decides by minPercentile alone."""
    image = item["image"]
    share = float(np.frombuffer(image["data"], np.uint8).mean()) / 255
    demand = ((policy or {}).get("aspects") or {}).get("quality", {}).get("minPercentile", 0)
    is_blank = share == 0
    decision = "reject" if is_blank or share < demand else "accept"
    guards = [{"guard": "blank", "message": "all black"}] if is_blank else []
    return {
        "aspects": {"quality": aspect(share * 5), "alignment": None, "authenticity": None},
        "reward": None if is_blank else share,
        "guards": guards,
        "decision": decision,
        "reasons": ["too dark"] if decision == "reject" else [],
        "error": None,
        "width": image["width"],
    }


class FakeDaemon:
    """`answer(message)` may be replaced; returning None leaves the request without an answer."""

    def __init__(self, token: str | None = None, path: str | None = None):
        self.token = token
        self.path = path
        self.messages: list[dict] = []
        self.headers: list[dict] = []
        self.protocols = (PROTOCOL,)
        self.version = "1.0.0"
        self.answer = self.scores
        #: The same for all other ops.
        self.others = lambda _message: {"ok": True}
        self.prompt: dict = {}
        self.asked: list[dict] = []
        self.most_due = 0
        self._due = 0
        self._sockets: set[web.WebSocketResponse] = set()
        #: The one whose message is being answered.
        self._answering: web.WebSocketResponse | None = None
        self._runner: web.AppRunner | None = None
        self._site: web.BaseSite | None = None
        self._serving: set[asyncio.Future] = set()
        self.port = 0

    @property
    def url(self) -> str:
        return f"unix:{self.path}" if self.path else f"http://127.0.0.1:{self.port}"

    def ops(self, op: str) -> list[dict]:
        return [message for message in self.messages if message["op"] == op]

    def sent(self) -> list[dict]:
        """The items of all requests, in order."""
        return [item for message in self.ops("score") for item in message["items"]]

    def items(self) -> int:
        return len(self.sent())

    def scores(self, message: dict) -> dict:
        return {"ok": True, "results": [result(item, message.get("policy")) for item in message["items"]]}

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/v1/ws", self._talk)
        app.router.add_get("/v1/scorers", self._scorers)
        app.router.add_post("/v1/prompt", self._find_prompt)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        if self.path:
            self._site = web.UnixSite(self._runner, self.path)
            await self._site.start()
            return
        self._site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await self._site.start()
        self.port = self._site._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._site:
            await self._site.stop()
        self.cut()
        if self._runner:
            await self._runner.cleanup()
        self._site = self._runner = None

    def cut(self) -> None:
        """Ends the connection whose message is being answered, else all, without a farewell."""
        for socket in self._meant():
            if transport := socket._req.transport:
                transport.abort()

    def close(self, code: int) -> None:
        """Ends the same with a reason."""
        for socket in self._meant():
            self._serving.add(asyncio.ensure_future(socket.close(code=code)))

    def _meant(self) -> list[web.WebSocketResponse]:
        return [self._answering] if self._answering else list(self._sockets)

    async def _scorers(self, _request) -> web.Response:
        versions = [self.version, "0.9.0"]  # the older one beside it, as after `assay models import`
        same = {"id": "bright", "variant": "fp32"}
        scorers = [{**same, "version": v, "default": v == self.version} for v in versions]
        return web.json_response({"scorers": scorers})

    async def _find_prompt(self, request) -> web.Response:
        self.asked.append(await request.json())
        return web.json_response(self.prompt)

    async def _talk(self, request) -> web.StreamResponse:
        self.headers.append(dict(request.headers))
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.Response(status=401)
        socket = web.WebSocketResponse(protocols=self.protocols, max_msg_size=0, compress=False)
        await socket.prepare(request)
        self._sockets.add(socket)
        try:
            async for frame in socket:
                if frame.type is WSMsgType.BINARY:
                    serving = asyncio.ensure_future(self._serve(socket, msgpack.unpackb(frame.data)))
                    self._serving.add(serving)
                    serving.add_done_callback(self._serving.discard)
        finally:
            self._sockets.discard(socket)
        return socket

    async def _serve(self, socket, message: dict) -> None:
        self.messages.append(message)
        self._due += 1
        self.most_due = max(self.most_due, self._due)
        await asyncio.sleep(0.01)
        self._answering = socket
        answer = self.answer(message) if message["op"] == "score" else self.others(message)
        self._answering = None
        self._due -= 1
        if isinstance(answer, bytes):
            await socket.send_bytes(answer)
        elif answer is not None:
            await socket.send_bytes(msgpack.packb({"id": message["id"], **answer}))
