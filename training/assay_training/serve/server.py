"""The server: a few paths of HTTP, one question at a time."""

from __future__ import annotations

import hmac
import json
import re
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from assay_training.serve.answers import answer, hold
from assay_training.serve.conversation import RequestError, said
from assay_training.serve.family import Family

LOOPBACK = ("127.0.0.1", "::1", "localhost")
MOST_BYTES = 256 << 20  # of a request
MOST_WAITING = 64
LENGTH = re.compile(r"[0-9]{1,18}")
LINGER = 1.0  # seconds in which what a refused client still sends is dropped


class StatesServer(ThreadingHTTPServer):
    """Serves one model under `name`. Port 0 picks a free one.

    Raises ValueError without a token on addresses that others can reach, and if nothing can listen there.
    """

    daemon_threads = True
    request_queue_size = 128  # connections that wait to be taken: more than may ask at once

    def __init__(self, family: Family, name: str, host: str, port: int, token: str | None) -> None:
        if host not in LOOPBACK and not token:
            raise ValueError(f"{host} can be reached by others: give a --token-file that clients must know")
        if ":" in host:
            self.address_family = socket.AF_INET6
        try:
            super().__init__((host, port), Handler)
        except (OSError, OverflowError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ValueError(f"--host {host} --port {port}: cannot listen there: {reason}") from None
        self.family, self.name, self.token = family, name, token
        self.turn = threading.Lock()
        self.waiting = threading.BoundedSemaphore(MOST_WAITING)

    @property
    def address(self) -> str:
        """Where it listens, as a URL."""
        host, port = self.server_address[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def shutdown_request(self, request: socket.socket) -> None:
        """Ends a connection; a reset while its client still sends would take the reply from it."""
        try:
            request.shutdown(socket.SHUT_WR)
            request.settimeout(LINGER)
            end = time.monotonic() + LINGER
            while time.monotonic() < end and request.recv(1 << 16):
                pass
        except OSError:
            pass  # it is gone
        self.close_request(request)

    def handle_error(self, request: object, address: object) -> None:
        """Clients that leave are no failures of the server."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, address)


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
        self.close_connection, keep = True, self.close_connection  # until its body is read
        if not self._may_enter():
            return
        try:
            if self.path not in known:
                raise RequestError(f"no such path: {self.path}", 404)
            self._answer(known[self.path], keep)
        except RequestError as error:
            self._fail(error.status, str(error))
        except (ConnectionError, TimeoutError):
            self.close_connection = True  # nobody waits any more
        except Exception as error:
            told = f"{type(error).__name__}: {said(error)}"
            self.log_error("%s", told)
            self._fail(500, told)

    def _answer(self, reply, keep: bool) -> None:
        """keep: whether the connection stays once the body is read, which takes a place of those waiting."""
        if not self.server.waiting.acquire(blocking=False):
            raise RequestError(f"{MOST_WAITING} questions wait already", 429)
        try:
            body = self._body()
            self.close_connection = keep
            request = _request(body, self.server.name)
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
        given = self.headers.get("content-length") or ""
        if self.headers.get("transfer-encoding") or not LENGTH.fullmatch(given):
            raise RequestError("expected a body of a told length", 411)
        length = int(given)
        if length > MOST_BYTES:
            raise RequestError(f"the request has more than {MOST_BYTES} bytes", 413)
        if (self.headers.get("expect") or "").lower() == "100-continue":
            super().handle_expect_100()
        body = self.rfile.read(length)
        if len(body) < length:
            raise RequestError(f"expected a body of {length} bytes, found {len(body)}")
        return body

    def handle_expect_100(self) -> bool:
        """Bodies are asked for once it is clear that they will be read."""
        return True

    def _may_enter(self) -> bool:
        """Pages that a browser shows may not ask: they send an origin."""
        if self.headers.get("origin"):
            self._fail(403, "web pages may not ask")
            return False
        given = (self.headers.get("authorization") or "").removeprefix("Bearer ")
        if self.server.token and not hmac.compare_digest(given.encode("latin-1"), self.server.token.encode()):
            self._fail(401, "expected the token of this server as a bearer token")
            return False
        return True

    def _fail(self, status: int, message: str) -> None:
        self._json(status, {"error": {"message": message}})

    def _json(self, status: int, value: dict) -> None:
        self._send(status, json.dumps(value).encode(), {"content-type": "application/json"})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        ends = {"connection": "close"} if self.close_connection else {}
        for name, value in (headers | ends | {"content-length": str(len(body))}).items():
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
    except (ValueError, RecursionError) as error:
        raise RequestError(f"the body is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise RequestError("the body is no JSON object")
    if found.get("model") not in (None, "", name):
        raise RequestError(f"there is no model {found['model']!r} here; there is {name!r}", 404)
    return found
