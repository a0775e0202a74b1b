"""The server: a few paths of HTTP, one question at a time."""

from __future__ import annotations

import hmac
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from assay_training.serve.answers import answer, hold
from assay_training.serve.conversation import RequestError
from assay_training.serve.family import Family

LOOPBACK = ("127.0.0.1", "::1", "localhost")
MOST_BYTES = 256 << 20  # of a request
MOST_WAITING = 64


class StatesServer(ThreadingHTTPServer):
    """Serves one model under `name`. Port 0 picks a free one.

    Raises ValueError without a token on addresses that others can reach.
    """

    daemon_threads = True

    def __init__(self, family: Family, name: str, host: str, port: int, token: str | None) -> None:
        if host not in LOOPBACK and not token:
            raise ValueError(f"{host} can be reached by others: give a --token-file that clients must know")
        super().__init__((host, port), Handler)
        self.family, self.name, self.token = family, name, token
        self.turn = threading.Lock()
        self.waiting = threading.BoundedSemaphore(MOST_WAITING)


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: StatesServer
    protocol_version = "HTTP/1.1"
    timeout = 600

    def do_GET(self) -> None:
        """The list of models."""
        if self.path != "/v1/models":
            return self._fail(404, "no such path: there are /v1/models, /v1/states and /v1/chat/completions")
        if not self._may_enter():
            return None
        return self._json(200, {"object": "list", "data": [{"id": self.server.name, "object": "model"}]})

    def do_POST(self) -> None:
        """Hidden states, or an answer."""
        known = {"/v1/states": self._states, "/v1/chat/completions": self._chat}
        reply = known.get(self.path)
        try:
            body = self._body()
            if not self._may_enter():
                return
            if not reply:
                raise RequestError(f"no such path: {self.path}", 404)
            self._answer(reply, _request(body, self.server.name))
        except RequestError as error:
            self._fail(error.status, str(error))
        except ConnectionError:
            self.close_connection = True  # nobody waits any more
        except Exception as error:
            self.log_error("%s: %s", type(error).__name__, error)
            self._fail(500, f"{type(error).__name__}: {error}")

    def _answer(self, reply, request: dict) -> None:
        if not self.server.waiting.acquire(blocking=False):
            raise RequestError(f"{MOST_WAITING} questions wait already", 429)
        try:
            with self.server.turn:
                send = reply(request)
        finally:
            self.server.waiting.release()
        send()

    def _states(self, request: dict):
        held = hold(self.server.family, request)
        headers = {"content-type": "application/octet-stream", "x-assay-positions": str(held.positions)}
        return lambda: self._send(200, held.body, headers)

    def _chat(self, request: dict):
        found = answer(self.server.family, request) | {"model": self.server.name}
        return lambda: self._json(200, found)

    def _body(self) -> bytes:
        length = self.headers.get("content-length") or ""
        if not length.isdigit():
            self.close_connection = True
            raise RequestError("expected a body of a told length", 411)
        if int(length) > MOST_BYTES:
            self.close_connection = True
            raise RequestError(f"the request has more than {MOST_BYTES} bytes", 413)
        return self.rfile.read(int(length))

    def _may_enter(self) -> bool:
        """Pages that a browser shows may not ask: they send an origin."""
        if self.headers.get("origin"):
            self._fail(403, "web pages may not ask")
            return False
        given = (self.headers.get("authorization") or "").removeprefix("Bearer ")
        if self.server.token and not hmac.compare_digest(given.encode(), self.server.token.encode()):
            self._fail(401, "expected the token of this server as a bearer token")
            return False
        return True

    def _fail(self, status: int, message: str) -> None:
        self._json(status, {"error": {"message": message}})

    def _json(self, status: int, value: dict) -> None:
        self._send(status, json.dumps(value).encode(), {"content-type": "application/json"})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in (headers | {"content-length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Requests are not logged: prompts are nobody's business."""

    def log_error(self, format: str, *args: object) -> None:
        """Failures are."""
        super().log_message(format, *args)


def _request(body: bytes, name: str) -> dict:
    try:
        found = json.loads(body)
    except ValueError as error:
        raise RequestError(f"the body is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise RequestError("the body is no JSON object")
    if found.get("model") not in (None, "", name):
        raise RequestError(f"there is no model {found['model']!r} here; there is {name!r}", 404)
    return found
