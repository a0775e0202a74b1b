"""A daemon that is missing, frozen, locked, full or another service: one line, two seconds, no image lost."""

from __future__ import annotations

import logging
import socket
import threading
import time

import pytest
from a1111_fixtures import loaded
from a1111_host import FamilyHost, Processing, seeds_in
from http_daemon import failure
from test_a1111_batches import labels, told

#: Two seconds, and what a busy machine adds.
MOST_S = 3.0


@pytest.fixture
def quick():
    """Fails a test that takes longer than the daemon may cost."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < MOST_S


def warnings(caplog) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_without_a_daemon_all_images_pass_and_one_line_says_so(judge, family, monkeypatch, quick, caplog):
    monkeypatch.setenv("ASSAY_URL", "http://127.0.0.1:1")
    processed = judge(family, Processing(batch_size=2, n_iter=3), action="drop", keep=2, at_most=60)
    assert (len(processed.images), len(family.saved)) == (6, 6)
    assert len(warnings(caplog)) == 1
    assert "[DAEMON_UNREACHABLE]" in warnings(caplog)[0]
    assert "[DAEMON_UNREACHABLE]" in processed.comments
    assert told(processed)["error"]["code"] == "DAEMON_UNREACHABLE"
    assert all("Assay failure: DAEMON_UNREACHABLE" in text for text in processed.infotexts)


def test_a_port_where_nobody_answers_costs_two_seconds_once(judge, forge, monkeypatch, quick):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        monkeypatch.setenv("ASSAY_URL", f"http://127.0.0.1:{mute.getsockname()[1]}")
        processed = judge(forge, Processing(batch_size=1, n_iter=4))
    assert len(processed.images) == 4
    assert "it is silent" in processed.comments


@pytest.mark.parametrize("action", ["keep", "drop", "move"])
def test_a_daemon_that_freezes_over_a_batch_costs_two_seconds_and_no_image(judge, http_daemon, family, quick, action):
    family.on_sampled = lambda number: http_daemon.is_awake.clear()
    processed = judge(family, Processing(batch_size=8, n_iter=2), action=action, threshold=1)
    assert len(processed.images) == 16
    assert "it is silent" in processed.comments


def test_a_daemon_that_is_slow_but_alive_is_waited_for(judge, http_daemon, forge):
    def slow(message):
        time.sleep(2.5)
        return http_daemon.scores(message)

    http_daemon.score = slow
    assert labels(judge(forge, Processing(batch_size=1))) == ["rejected"]
    assert http_daemon.paths.count("/healthz") >= 2


def test_an_interrupt_ends_the_wait_for_scores(judge, http_daemon, forge, quick):
    def interrupted(message):
        forge.state.interrupted = True
        time.sleep(10)
        return http_daemon.scores(message)

    http_daemon.score = interrupted
    processed = judge(forge, Processing(batch_size=2), action="drop", threshold=1)
    assert labels(processed) == ["interrupted"] * 2


def test_a_token_that_is_missing_is_a_visible_line(judge, http_daemon, family, monkeypatch):
    http_daemon.token = "long-enough"
    assert "[UNAUTHORIZED]" in judge(family, Processing(batch_size=1)).comments
    monkeypatch.setenv("ASSAY_TOKEN", "long-enough")
    family.state.job_count = -1
    assert labels(judge(family, Processing(batch_size=1))) == ["rejected"]


@pytest.mark.parametrize("answer", [(404, b"<html>"), (200, b"hello"), (200, b"[]"), (401, {"detail": "no"})])
def test_another_service_is_known_for_one(judge, http_daemon, forge, answer):
    http_daemon.routes["/v1/scorers"] = lambda: answer
    processed = judge(forge, Processing(batch_size=2), action="drop", threshold=1)
    assert "[DAEMON_UNKNOWN]" in processed.comments
    assert len(processed.images) == 2


def test_a_service_that_does_not_speak_http_is_known_for_none(judge, forge, monkeypatch, quick):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet():
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        monkeypatch.setenv("ASSAY_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
        processed = judge(forge, Processing(batch_size=1))
        thread.join(5)
    assert "[DAEMON_UNKNOWN]" in processed.comments or "[DAEMON_UNREACHABLE]" in processed.comments
    assert len(processed.images) == 1


@pytest.mark.parametrize("body", [{"results": []}, {"results": [1, 2]}, {"results": [{}, {}]}, {}])
def test_an_answer_that_makes_no_sense_is_no_verdict(judge, http_daemon, forge, body):
    http_daemon.score = lambda message: (200, body)
    processed = judge(forge, Processing(batch_size=2), action="drop", threshold=1)
    assert labels(processed) == ["passed unscored"] * 2


def test_one_refused_image_does_not_cost_the_others_their_scores(judge, http_daemon, forge):
    def wary(message):
        dark = any(max(item["image"]["data"]) < 130 for item in message["items"])
        return failure(413, "BODY_TOO_LARGE") if dark else http_daemon.scores(message)

    http_daemon.score = wary
    processed = judge(forge, Processing(batch_size=3, seed=104), threshold=0.5)
    assert labels(processed) == ["passed unscored", "passed unscored", "accepted"]


def test_a_full_daemon_is_asked_again(judge, http_daemon, forge):
    answers = [failure(503, "BUSY", retryAfterMs=10), failure(503, "BUSY", retryAfterMs=10)]
    http_daemon.score = lambda message: answers.pop() if answers else http_daemon.scores(message)
    assert labels(judge(forge, Processing(batch_size=1))) == ["rejected"]


def test_the_job_ends_where_the_rule_is_stop(judge, family, monkeypatch):
    monkeypatch.setenv("ASSAY_URL", "http://127.0.0.1:1")
    processed = judge(family, Processing(n_iter=2), on_failure="stop")
    assert family.sampled == []
    assert "the job was ended" in processed.comments


def test_what_is_made_stays_when_the_daemon_goes_and_the_rule_is_stop(judge, http_daemon, family):
    http_daemon.score = lambda message: failure(500, "INTERNAL")
    processed = judge(family, Processing(batch_size=2, n_iter=3), on_failure="stop", action="drop")
    assert family.sampled == [[100, 101]]
    assert (len(processed.images), len(family.saved)) == (2, 2)
    assert "the job was ended" in processed.comments


def test_a_job_that_was_done_when_the_daemon_went_was_not_ended(judge, http_daemon, family):
    http_daemon.score = lambda message: failure(500, "INTERNAL")
    processed = judge(family, Processing(batch_size=2, n_iter=1), on_failure="stop", action="drop")
    assert len(processed.images) == 2
    assert "the job was ended" not in processed.comments


def test_a_search_does_not_go_on_without_scores(judge, http_daemon, family):
    http_daemon.score = lambda message: failure(500, "INTERNAL")
    processed = judge(family, Processing(batch_size=2, n_iter=2), keep=1, at_most=100)
    assert len(processed.images) == 4


def test_a_search_that_never_began_says_so(judge, family, monkeypatch):
    monkeypatch.setenv("ASSAY_URL", "http://127.0.0.1:1")
    processed = judge(family, Processing(batch_size=2, n_iter=1), keep=2, at_most=6)
    assert told(processed)["notes"] == ["0 of 2 kept, 2 made"]


@pytest.mark.parametrize(
    ("named", "word"),
    [
        ({"threshold": 30}, "the threshold of a percentile is between 0 and 1, not 30"),
        ({"threshold": -1}, "threshold is -1"),
        ({"threshold": float("nan")}, "threshold is nan"),
        ({"threshold": "0.3"}, "threshold is '0.3'"),
        ({"action": "delete"}, "one of keep, drop, move"),
        ({"enabled": "yes"}, "true or false"),
        ({"keep": 9, "at_most": 4}, "no more can be kept than are made"),
        ({"at_most": 4}, "say how many images are to be kept"),
        ({"keep": 2.5}, "a whole number"),
        ({"keep": True}, "a number from 0"),
        ({"scorer": 3}, "expected text"),
        ({"treshold": 0.3}, "there is no argument 'treshold'"),
    ],
)
def test_arguments_that_make_no_sense_are_named_and_harm_nothing(judge, http_daemon, forge, named, word):
    processed = judge(forge, Processing(batch_size=1), **{"action": "drop", **named})
    assert word in processed.comments
    assert told(processed)["error"]["code"] == "BAD_REQUEST"
    assert "openapi.json" not in processed.comments
    assert (len(processed.images), http_daemon.messages) == (1, [])


@pytest.mark.parametrize("action", ["keep", "drop", "move"])
def test_a_threshold_above_what_the_scorer_can_give_takes_no_image_out(judge, http_daemon, family, action):
    named = {"measure": "MOS", "threshold": 7, "action": action}
    processed = judge(family, Processing(batch_size=2, n_iter=2), **named)
    assert len(processed.images) == 4
    assert "threshold is 7; quality of this scorer is 0 to 5" in processed.comments
    assert told(processed)["error"]["code"] == "BAD_REQUEST"


def test_an_address_that_is_none_is_named(judge, forge, monkeypatch):
    monkeypatch.setenv("ASSAY_URL", "localhost:7878")
    assert "[CONFIG_INVALID]" in judge(forge, Processing(batch_size=1)).comments


def test_a_failure_of_the_extension_itself_leaves_the_job_alone(http_daemon, forge, monkeypatch, caplog):
    script = loaded(forge, monkeypatch)
    monkeypatch.setattr("assay_a1111.job.picture", lambda *_: 1 / 0)
    processed = forge.run(script, Processing(batch_size=2), {"action": "drop", "threshold": 1})
    assert (seeds_in(processed), len(forge.saved)) == ([100, 101], 2)
    assert "unexpected failure" in caplog.text


def test_the_host_of_the_other_kind_is_told_by_its_hooks(monkeypatch, http_daemon):
    for kind, last in (("forge", "postprocess_image_after_composite"), ("sdnext", "postprocess_image")):
        script = loaded(FamilyHost(kind), monkeypatch)
        own = [name for name in vars(type(script)) if name.startswith("postprocess_image")]
        assert own == [last]
