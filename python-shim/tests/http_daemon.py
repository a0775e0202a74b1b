"""A daemon that speaks plain HTTP over a real socket and does what a test tells it."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgpack
from fake_daemon import result


def failure(status: int, code: str, **more) -> tuple[int, dict]:
    return status, {"error": {"code": code, "message": f"{code} happened", "fix": "Mend it.", **more}}


class HttpDaemon:
    """`score(message)` returns a status and a body, and may be replaced; so may `routes`, by path."""

    def __init__(self, folder: str = "/nowhere"):
        self.messages: list[dict] = []
        self.paths: list[str] = []
        self.headers: list[dict] = []
        self.token: str | None = None
        self.score = self.scores
        self.routes = {
            "/v1/scorers": lambda: (200, {"scorers": []}),
            "/v1/rejects": lambda: (200, {"folder": folder}),
            "/healthz": lambda: (200, {"status": "ok"}),
        }
        #: Cleared, nothing is answered, as by a stopped process.
        self.is_awake = threading.Event()
        self.is_awake.set()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.server.block_on_close = False
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def scores(self, message: dict) -> tuple[int, object]:
        return 200, {"results": [result(item, message.get("policy")) for item in message["items"]]}

    def items(self) -> list[dict]:
        return [item for message in self.messages for item in message["items"]]

    def stop(self) -> None:
        self.is_awake.set()
        self.server.shutdown()
        self.server.server_close()

    def _handler(self):
        daemon = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self._answer(lambda: daemon.routes.get(self.path, lambda: failure(404, "NOT_FOUND"))())

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                message = msgpack.unpackb(body)
                daemon.messages.append(message)
                self._answer(lambda: daemon.score(message))

            def _answer(self, work):
                daemon.paths.append(self.path)
                daemon.headers.append(dict(self.headers))
                daemon.is_awake.wait(30)
                given = self.headers.get("Authorization")
                refused = daemon.token and self.path != "/healthz" and given != f"Bearer {daemon.token}"
                status, answer = failure(401, "UNAUTHORIZED") if refused else work()
                data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                try:
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data)
                except OSError:
                    return  # the other side has left

            def log_message(self, *_args):
                return

        return Handler
