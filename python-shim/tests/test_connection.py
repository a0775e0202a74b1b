"""Daemons that are absent, slow, gone, full, somebody else, or come back."""

import socket
import threading
import time

import pytest
from conftest import Interrupted
from fake_daemon import FakeDaemon, error
from helpers import gate, greys, shape_of, until


def report_of(nodes, images=None, **changes) -> str:
    return gate(nodes, greys(0.9) if images is None else images, **changes)["result"][3]


@pytest.fixture
def listener():
    """A port where connections are taken up and never answered."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(8)
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_no_daemon_is_said_at_once(host, connect, nodes):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, not listening: nobody else takes it
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        connect(url)
        begun = time.monotonic()
        outputs = gate(nodes, greys(*[0.5] * 200))["result"]
        assert time.monotonic() - begun < 2
    assert shape_of(outputs[0]) == [0.5] * 200
    lines = outputs[3].splitlines()
    assert lines[0] == "200 images: 0 accepted, 0 rejected, 200 passed unscored"
    assert lines[1] == (
        f"Not scored: the Assay daemon does not answer at {url}: Connection refused [DAEMON_UNREACHABLE] "
        "Start it with `assay serve` (in a checkout: `npm run assay -- serve`), or set ASSAY_URL to where it runs."
    )


def test_silence_is_waited_for_once(host, connect, nodes, listener):
    connect(listener)
    begun = time.monotonic()
    assert "no answer within 1.5 s" in report_of(nodes)
    assert time.monotonic() - begun < 2
    for _ in range(3):
        assert "DAEMON_UNREACHABLE" in report_of(nodes)
    assert time.monotonic() - begun < 2.5


def test_no_image_is_prepared_for_a_daemon_that_is_absent(host, connect, nodes, listener, part, monkeypatch):
    connect(listener)
    made = []
    raw_image = part("images").raw_image
    monkeypatch.setattr(part("scoring"), "raw_image", lambda image: made.append(1) or raw_image(image))
    gate(nodes, greys(*[0.5] * 100))
    assert len(made) <= part("scoring").REQUEST_IMAGES * part("scoring").IN_FLIGHT


def test_a_daemon_that_starts_later_is_found(host, connect, nodes):
    daemon = FakeDaemon()
    host.call(daemon.start())
    host.call(daemon.stop())
    connect(daemon.url)
    assert "DAEMON_UNREACHABLE" in report_of(nodes)
    host.call(daemon.start())
    assert "1 accepted" in report_of(nodes)
    host.call(daemon.stop())


def test_one_connection_serves_all_requests(daemon, nodes):
    for _ in range(3):
        report_of(nodes)
    assert len(daemon.headers) == 1
    assert daemon.headers[0]["X-Assay-Client"] == "comfyui"


def test_a_broken_connection_is_opened_again(daemon, nodes, host):
    report_of(nodes)
    host.call(daemon.stop())
    host.call(daemon.start())
    assert "1 accepted" in report_of(nodes)


def test_a_connection_that_breaks_under_a_request_is_tried_once_more(daemon, nodes):
    def answer(message):
        if len(daemon.messages) == 1:
            daemon.cut()
            return None
        return daemon.scores(message)

    daemon.answer = answer
    assert "1 accepted" in report_of(nodes)
    assert len(daemon.messages) == 2


def test_a_daemon_that_dies_under_way(daemon, nodes, host):
    daemon.answer = lambda message: daemon.scores(message) if message in daemon.messages[:3] else None
    killer = threading.Thread(
        target=lambda: (until(lambda: len(daemon.messages) >= 6), host.call(daemon.stop())), daemon=True
    )
    killer.start()
    report = report_of(nodes, greys(*[0.9] * 40))
    killer.join(5)
    assert "DAEMON_UNREACHABLE" in report
    assert "7 accepted" in report


@pytest.mark.parametrize(
    ("token", "said"), [(None, "UNAUTHORIZED"), ("wrong-one", "UNAUTHORIZED"), ("right-one", "1 accepted")]
)
def test_tokens(host, connect, nodes, token, said):
    daemon = FakeDaemon(token="right-one")
    host.call(daemon.start())
    connect(daemon.url, token)
    assert said in report_of(nodes)
    host.call(daemon.stop())


def test_somebody_else_on_the_port(daemon, connect, nodes):
    daemon.protocols = ()
    assert "DAEMON_UNKNOWN" in report_of(nodes)
    connect(f"{daemon.url}/elsewhere")
    assert "status 404 [DAEMON_UNKNOWN]" in report_of(nodes)


@pytest.mark.parametrize("url", ["nonsense", "ftp://127.0.0.1:1", "http://", "http://127.0.0.1:99999"])
def test_addresses_that_are_none(host, connect, nodes, url):
    connect(url)
    assert "[DAEMON_UNREACHABLE]" in report_of(nodes)


@pytest.mark.parametrize("frame", [b"\xc1", b"\x93\x01", b"\x01", b""])
def test_frames_that_make_no_sense(daemon, nodes, frame):
    daemon.answer = lambda _message: frame
    assert "DAEMON_UNREACHABLE" in report_of(nodes)
    daemon.answer = daemon.scores
    assert "1 accepted" in report_of(nodes)


@pytest.mark.parametrize(
    "answer",
    [
        {"ok": True},
        {"ok": True, "results": []},
        {"ok": True, "results": [5]},
        {"ok": True, "results": [{}]},
        {"ok": False},
    ],
)
def test_answers_that_lack_something(daemon, nodes, answer):
    daemon.answer = lambda _message: answer
    assert "[INTERNAL]" in report_of(nodes)


def test_an_answer_without_an_id_ends_what_is_due(daemon, nodes):
    daemon.answer = lambda _message: {"id": None, **error("BODY_TOO_LARGE")}
    assert "BODY_TOO_LARGE" in report_of(nodes)


def test_a_full_daemon_is_asked_again(daemon, nodes):
    daemon.answer = lambda m: error("BUSY", retryAfterMs=30) if len(daemon.messages) < 3 else daemon.scores(m)
    assert "1 accepted" in report_of(nodes)
    assert len(daemon.messages) == 3


def test_patience_ends(daemon, nodes, part, monkeypatch):
    monkeypatch.setattr(part("scoring"), "PATIENCE_S", 0.1)
    daemon.answer = lambda _message: error("BUSY", retryAfterMs=20)
    assert "BUSY" in report_of(nodes)


def test_no_answer_is_a_deadline(daemon, nodes, part, monkeypatch):
    monkeypatch.setattr(part("scoring"), "ANSWER_S", 0.1)
    daemon.answer = lambda _message: None
    assert "no score within 100 ms [DEADLINE]" in report_of(nodes)
    until(lambda: daemon.ops("cancel"))
    daemon.answer = daemon.scores
    assert "1 accepted" in report_of(nodes)
    assert len(daemon.headers) == 2  # on a new connection: the old one looked dead


def test_what_all_would_meet_is_met_once(daemon, nodes, part):
    daemon.answer = lambda _message: error("UNKNOWN_SCORER")
    report = report_of(nodes, greys(*[0.9] * 100))
    assert "100 passed unscored" in report
    assert len(daemon.messages) <= part("scoring").IN_FLIGHT


def test_a_huge_batch_goes_in_small_requests(daemon, nodes, part):
    outputs = gate(nodes, greys(*[0.9] * 500))["result"]
    assert len(outputs[0]) == 500
    assert daemon.items() == 500
    assert max(len(message["items"]) for message in daemon.messages) <= part("scoring").REQUEST_IMAGES
    assert daemon.most_due <= part("scoring").IN_FLIGHT


def test_large_images_go_alone(daemon, nodes):
    gate(nodes, greys(0.9, 0.8, size=1500))
    assert [len(message["items"]) for message in daemon.messages] == [1, 1]


def test_an_image_of_a_wrong_kind_fails_alone(daemon, nodes):
    outputs = nodes.AssayScore().run([greys(0.5), greys(0.5, channels=2), greys(0.6)])["result"]
    assert shape_of(outputs[4]) == [0.5, None, 0.6]
    assert "IMAGE_SHAPE" in outputs[5]


def test_an_interrupt_takes_effect_and_reaches_the_daemon(daemon, nodes, host):
    daemon.answer = lambda _message: None
    timer = threading.Thread(target=lambda: (until(lambda: daemon.messages), host.interrupt.set()), daemon=True)
    timer.start()
    with pytest.raises(Interrupted):
        gate(nodes, greys(0.9))
    timer.join(5)
    until(lambda: daemon.ops("cancel"))
    assert daemon.ops("cancel")[0]["target"] == daemon.ops("score")[0]["id"]
    daemon.answer = daemon.scores
    assert "1 accepted" in report_of(nodes)


def test_an_interrupt_is_noticed_soon(daemon, nodes, host):
    daemon.answer = lambda _message: None
    caught = []

    def run():
        with pytest.raises(Interrupted):
            gate(nodes, greys(0.9))
        caught.append(time.monotonic())

    worker = threading.Thread(target=run, daemon=True)
    worker.start()
    until(lambda: daemon.messages)
    begun = time.monotonic()
    host.interrupt.set()
    worker.join(5)
    assert caught[0] - begun < 0.2


def test_a_bug_is_a_failure_like_any_other(daemon, nodes, part, monkeypatch):
    async def broken(*_args):
        raise RuntimeError("oops")

    monkeypatch.setattr(part("connection").Connection, "ask", broken)
    assert "RuntimeError('oops') [INTERNAL]" in report_of(nodes)


def test_without_msgpack_the_nodes_say_so(daemon, nodes, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "msgpack", None)
    assert "pip install msgpack" in report_of(nodes)
