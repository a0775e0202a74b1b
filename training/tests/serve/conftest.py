"""A tiny model that is served on loopback, once for all tests."""

from __future__ import annotations

import base64
import io
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

transformers = pytest.importorskip("transformers", reason="no transformers: the server is not tried")

from assay_training.serve.families import load  # noqa: E402
from assay_training.serve.family import Family, Loading  # noqa: E402
from assay_training.serve.server import StatesServer  # noqa: E402
from tests.serve.tiny_llava import write_tiny_llava  # noqa: E402

TOKEN = "a-secret-word"


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def json(self) -> dict:
        return json.loads(self.body)

    @property
    def fault(self) -> str:
        return self.json["error"]["message"]


@dataclass(frozen=True)
class Served:
    family: Family
    ask: Callable[..., Reply]
    port: int


def picture(width: int = 40, height: int = 24) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))


def data_url(image: Image.Image) -> str:
    file = io.BytesIO()
    image.save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def shown(image: Image.Image | None = None) -> dict:
    return {"type": "image_url", "image_url": {"url": data_url(image or picture())}}


def asks(*texts: str, image: Image.Image | None = None) -> list[dict]:
    """A conversation: the image, a question, an answer, a question, …"""
    first = {"role": "user", "content": [shown(image), {"type": "text", "text": texts[0]}]}
    rest = [{"role": ("assistant", "user")[i % 2], "content": text} for i, text in enumerate(texts[1:])]
    return [first, *rest]


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    return write_tiny_llava(tmp_path_factory.mktemp("llava"))


@pytest.fixture(scope="session")
def served(folder: Path) -> Iterator[Served]:
    family = load(Loading(folder))
    server = StatesServer(family, "tiny", "127.0.0.1", 0, TOKEN)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def ask(path: str, body: object = None, **headers: str) -> Reply:
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        given = {"authorization": f"Bearer {TOKEN}"} | headers
        request = urllib.request.Request(f"http://127.0.0.1:{server.server_port}{path}", data, given)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return Reply(
                    response.status,
                    response.read(),
                    {name.lower(): value for name, value in response.headers.items()},
                )
        except urllib.error.HTTPError as error:
            return Reply(error.code, error.read(), {})

    yield Served(family, ask, server.server_port)
    server.shutdown()
    server.server_close()
