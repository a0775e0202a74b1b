"""What is refused before it is read, images that cannot be read, and what stands in the way of a start."""

from __future__ import annotations

import base64
import socket
import struct
import zlib

import pytest

from assay_training.__main__ import main
from assay_training.serve import conversation
from assay_training.serve.conversation import RequestError, read_conversation
from assay_training.serve.server import MOST_WAITING, StatesServer
from tests.serve.conftest import TOKEN, asks, data_url, picture, shown

HEAD = f"POST /v1/states HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n"


def raw(port: int, head: str, body: bytes = b"") -> str:
    """The whole answer to bytes that no client library would send, until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(f"{head}\r\n".encode("latin-1") + body)
        found = b""
        while part := connection.recv(1 << 16):
            found += part
    return found.decode()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(*extra: bytes) -> bytes:
    """A PNG with chunks put after its header."""
    whole = base64.b64decode(data_url(picture()).partition(",")[2])
    return whole[:33] + b"".join(extra) + whole[33:]


def url(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()


def test_images_are_counted_before_one_is_decoded(monkeypatch):
    opened = []
    monkeypatch.setattr(conversation.Image, "open", lambda *given, **more: opened.append(given))
    with pytest.raises(RequestError, match=r"expected one image .*, found 5"):
        read_conversation([{"role": "user", "content": [shown()] * 5}])
    assert not opened


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (HEAD + "origin: http://evil.example\r\ncontent-length: 250000000\r\n", 403),
        (HEAD.replace(TOKEN, "other") + "content-length: 250000000\r\n", 401),
        (HEAD.replace("states", "nope") + "content-length: 250000000\r\n", 404),
        (HEAD + "content-length: 1099511627776\r\n", 413),
        (HEAD + f"content-length: {'9' * 5000}\r\n", 411),
        (HEAD + "content-length: \xb2\r\n", 411),
        (HEAD + "content-length: -1\r\n", 411),
        (HEAD + "transfer-encoding: chunked\r\ncontent-length: 2\r\n", 411),
        (HEAD + "expect: 100-continue\r\norigin: x\r\ncontent-length: 250000000\r\n", 403),
    ],
)
def test_a_refused_body_is_not_read_and_the_connection_ends(served, head, status):
    found = raw(served.port, head, b"x" * (4 << 20))
    assert found.startswith(f"HTTP/1.1 {status} ")
    assert "connection: close" in found


def test_a_body_is_asked_for_once_it_will_be_read(served):
    found = raw(
        served.port, HEAD + "expect: 100-continue\r\nconnection: close\r\ncontent-length: 2\r\n", b"{}"
    )
    assert found.startswith("HTTP/1.1 100 ")
    assert "messages: expected a list" in found


def test_unfinished_uploads_take_the_places_of_those_that_wait(served):
    ask = f"{HEAD}content-length: 9\r\n\r\n".encode()
    held = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(MOST_WAITING)]
    for connection in held:
        connection.sendall(ask)
    try:
        for _ in range(100):
            found = served.ask("/v1/states", {})
            if found.status == 429:
                break
        assert found.status == 429, found.fault
    finally:
        for connection in held:
            connection.close()
    for _ in range(100):
        found = served.ask("/v1/states", {})
        if found.status != 429:
            break
    assert "expected a list" in found.fault


def test_a_hundred_may_come_while_none_is_taken(served):
    with StatesServer(served.family, "tiny", "127.0.0.1", 0, None) as server:
        place = ("127.0.0.1", server.server_port)
        held = [socket.create_connection(place, timeout=2) for _ in range(100)]
        for connection in held:
            connection.close()


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (png(chunk(b"zTXt", b"k\0\0" + zlib.compress(b"a" * (80 << 20)))), "no image that can be read"),
        (png(chunk(b"iCCP", b"k\0\0" + zlib.compress(b"a" * (80 << 20)))), "no image that can be read"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", "none of PNG, JPEG"),
        (b"P6 1 1 255\n...", "none of PNG, JPEG"),
        (png()[:60], "no image that can be read"),
    ],
)
def test_an_image_that_cannot_be_read_is_the_fault_of_the_request(served, data, fault):
    part = {"type": "image_url", "image_url": {"url": url(data)}}
    reply = served.ask("/v1/states", {"messages": [{"role": "user", "content": [part]}]})
    assert (reply.status, fault in reply.fault, "0x" in reply.fault) == (400, True, False), reply.fault


def test_bodies_that_no_reader_takes_are_the_fault_of_the_request(served):
    deep = served.ask("/v1/states", b"[" * 200_000)
    assert (deep.status, "no JSON" in deep.fault) == (400, True)
    half = served.ask("/v1/states", {"messages": asks("\ud800")})
    assert (half.status, "lone surrogate" in half.fault) == (400, True)


def test_a_client_that_resets_leaves_no_traceback(served, capfd):
    for _ in range(5):
        connection = socket.create_connection(("127.0.0.1", served.port))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.sendall(b"POST /v1/nope HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}")
        connection.close()
    assert served.ask("/v1/models").status == 200
    assert "Traceback" not in capfd.readouterr().err


def test_it_listens_on_the_other_loopback(served):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    with StatesServer(served.family, "tiny", "::1", 0, None) as server:
        assert server.address == f"http://[::1]:{server.server_port}"


@pytest.mark.parametrize(
    ("text", "fault"), [("", "one word, found 0"), ("a b", "found 2"), (None, "cannot be read")]
)
def test_a_token_file_without_a_token_is_refused(folder, tmp_path, capsys, text, fault):
    path = tmp_path / "token"
    if text is not None:
        path.write_text(text)
    assert main(["serve", "--model", str(folder), "--port", "0", "--token-file", str(path)]) == 1
    told = capsys.readouterr().err
    assert str(path) in told
    assert fault in told


def test_a_port_that_is_taken_is_told(served, folder, capsys):
    assert main(["serve", "--model", str(folder), "--port", str(served.port)]) == 1
    assert f"--port {served.port}: cannot listen there" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_file_cut_short_is_told(folder, tmp_path, capsys, name):
    for path in folder.iterdir():
        data = path.read_bytes()
        (tmp_path / path.name).write_bytes(data[: len(data) // 2] if path.name == name else data)
    assert main(["serve", "--model", str(tmp_path), "--port", "0"]) == 1
    told = capsys.readouterr().err
    assert str(tmp_path) in told
    assert "0x" not in told
