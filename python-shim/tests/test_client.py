"""The client against a daemon that does what a test tells it."""

import asyncio
import multiprocessing
import os
import pickle
import socket
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from conftest import Host
from fake_daemon import FakeDaemon, error
from helpers import until

from assay_client import AssayClient, AssayFailure, AsyncAssayClient
from assay_client.scoring import REQUEST_IMAGES
from assay_client.sending import IN_FLIGHT


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    for name in ("ASSAY_URL", "ASSAY_TOKEN", "ASSAY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def loop():
    loop = Host()
    yield loop
    loop.close()


@pytest.fixture
def daemon(loop):
    fake = FakeDaemon()
    loop.call(fake.start())
    yield fake
    loop.call(fake.stop())


@pytest.fixture
def assay(daemon):
    with AssayClient(daemon.url, wait=5) as client:
        yield client


def greys(count: int, size: int = 8) -> np.ndarray:
    """Images whose level of grey, and with it their reward, tells their place."""
    shares = (np.arange(count) + 1) / 255
    return np.broadcast_to(shares[:, None, None, None], (count, size, size, 3)).astype(np.float32)


def places(results) -> list[int]:
    """What `greys` numbered."""
    return [None if result.reward is None else round(result.reward * 255) for result in results]


def expected(count: int) -> list[int]:
    return list(range(1, count + 1))


def refusal(call) -> AssayFailure:
    with pytest.raises(AssayFailure) as caught:
        call()
    return caught.value


def test_a_judge_without_calibration_gives_scores_without_percentile_and_interval(daemon, assay):
    def answer(message):
        scored = daemon.scores(message)
        for result in scored["results"]:
            result["aspects"]["quality"].update(percentile=None, interval=None, coverage=None)
        return scored

    daemon.answer = answer
    [result] = assay.score(greys(1))
    quality = result.aspects["quality"]
    assert (quality.percentile, quality.interval, quality.coverage) == (None, None, None)
    assert quality.score > 0


@pytest.mark.parametrize("given", [{"timeout": -1}, {"timeout": "x"}, {"wait": float("nan")}, {"reconnects": None}])
def test_times_that_are_none_are_refused_by_name(given):
    (name,) = given
    failure = refusal(lambda: AssayClient("http://127.0.0.1:1", **given))
    assert failure.code == "BAD_REQUEST" and name in failure.message


def test_results_are_in_order_with_ids_and_groups(assay, daemon):
    ids = [f"i{at}" for at in range(100)]
    groups = [("prompt", at // 4) for at in range(100)]
    results = assay.score(greys(100), [f"p{at}" for at in range(100)], ids=ids, groups=groups)
    assert [result.id for result in results] == ids
    assert [result.group for result in results] == groups
    assert places(results) == expected(100)
    sent = {item["id"]: item["prompt"] for item in daemon.sent()}
    assert sent == {f"i{at}": f"p{at}" for at in range(100)}
    assert max(len(message["items"]) for message in daemon.messages) <= REQUEST_IMAGES
    assert len(daemon.headers) == 1


def test_prompts(assay, daemon):
    assay.score(greys(2), "one for both")
    assay.score(greys(2), ["a", None])
    assay.score(greys(2))
    assay.score(greys(2), np.array(["x", "y"], dtype=object))
    assay.score(greys(2), ("x", "y"))
    said = Counter(item.get("prompt", "looked for") for item in daemon.sent())
    assert said == {"one for both": 2, "a": 1, None: 1, "looked for": 2, "x": 2, "y": 2}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"prompts": ["a"]}, "1 prompts for 2 images"),
        ({"prompts": ["a", 5]}, "prompts[1] is a int"),
        ({"prompts": 5}, "prompts is a int"),
        ({"ids": ["a"]}, "1 ids for 2 images"),
        ({"ids": ["a", "a"]}, 'ids[1] is "a", as one before it is'),
        ({"ids": ["", "a"]}, "ids[0] has 0 characters"),
        ({"ids": ["a" * 257, "a"]}, "ids[0] has 257 characters"),
        ({"groups": [1, 2, 3]}, "3 groups for 2 images"),
        ({"layout": "WHC"}, "expected"),
    ],
)
def test_a_call_that_makes_no_sense_is_not_sent(assay, daemon, options, said):
    failure = refusal(lambda: assay.score(greys(2), **options))
    assert failure.code == "BAD_REQUEST" and said in failure.message
    assert daemon.messages == []


def test_no_images_are_no_results(assay, daemon):
    assert assay.score([]) == assay.score(np.zeros((0, 3, 8, 8))) == []
    assert daemon.messages == []


def test_a_bad_image_fails_alone(assay):
    images = greys(3).copy()
    images[1, 0, 0, 0] = np.nan
    first, bad, last = assay.score(images, ids=["a", "b", "c"], groups=["g", "h", "i"])
    assert first.reward is not None and last.reward is not None
    assert (bad.id, bad.group, bad.reward, bad.aspects, bad.error.code) == ("b", "h", None, None, "IMAGE_VALUES")


@pytest.mark.parametrize("bad", [np.zeros((0, 8, 3)), np.zeros((8, 8, 2)), np.zeros((8, 8, 3), np.int32), None, 5])
def test_one_of_a_list_that_is_no_image_fails_alone(assay, bad):
    first, none, last = assay.score([greys(1)[0], bad, greys(1)[0]])
    assert first.reward is not None and last.reward is not None
    assert (none.reward, none.error.code) == (None, "IMAGE_SHAPE")
    assert none.error.message.startswith("images[1]")


def test_a_call_without_any_answer_raises(assay):
    assert refusal(lambda: assay.score(np.full((2, 8, 8, 3), np.nan))).code == "IMAGE_VALUES"


def test_an_image_that_is_refused_costs_the_others_nothing(assay, daemon):
    def answer(message):
        bad = any(item["id"] == "7" for item in message["items"])
        return error("BAD_REQUEST") if bad else daemon.scores(message)

    daemon.answer = answer
    results = assay.score(greys(20))
    assert [result.id for result in results if result.error] == ["7"]
    assert places(results)[:7] == expected(7)


@pytest.mark.parametrize(("token", "said"), [(None, "UNAUTHORIZED"), ("wrong-one", "UNAUTHORIZED")])
def test_a_wrong_token_is_said_at_once(loop, token, said):
    daemon = FakeDaemon(token="right-one")
    loop.call(daemon.start())
    with AssayClient(daemon.url, token) as assay:
        failure = refusal(lambda: assay.score(greys(50)))
    assert failure.code == said and "token=" in failure.fix
    with AssayClient(daemon.url, "right-one") as assay:
        assert assay.score(greys(1))[0].reward is not None
    loop.call(daemon.stop())


@pytest.mark.parametrize(
    "url", ["nonsense", "ftp://127.0.0.1:1", "http://", "http://127.0.0.1:99999", "unix:", "127.0.0.1:1"]
)
def test_addresses_that_are_none(url):
    assert refusal(lambda: AssayClient(url)).code == "CONFIG_INVALID"


def test_the_environment(daemon, monkeypatch, tmp_path):
    token = tmp_path / "token"
    token.write_text("a-right-long-token\n")
    daemon.token = "a-right-long-token"
    monkeypatch.setenv("ASSAY_URL", daemon.url)
    monkeypatch.setenv("ASSAY_TOKEN_FILE", str(token))
    with AssayClient() as assay:
        assert assay.score(greys(1))[0].reward is not None
    monkeypatch.setenv("ASSAY_TOKEN", "x")
    assert refusal(AssayClient).code == "CONFIG_INVALID"


def test_a_name_that_nobody_has_is_not_waited_for():
    begun = time.monotonic()
    failure = refusal(lambda: AssayClient("http://nobody.invalid:7878").score(greys(1)))
    assert failure.code == "DAEMON_UNREACHABLE" and "nobody.invalid" in failure.message
    assert time.monotonic() - begun < 5


def test_a_daemon_that_starts_is_waited_for(loop):
    daemon = FakeDaemon()
    loop.call(daemon.start())
    loop.call(daemon.stop())
    late = threading.Timer(0.4, lambda: loop.call(daemon.start()))
    late.start()
    with AssayClient(daemon.url, wait=10) as assay:
        assert places(assay.score(greys(5))) == expected(5)
    late.join()
    loop.call(daemon.stop())


def test_a_daemon_that_does_not_come_is_waited_for_so_long_and_no_longer():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        begun = time.monotonic()
        failure = refusal(lambda: AssayClient(url, wait=0.4).score(greys(40)))
        assert 0.4 <= time.monotonic() - begun < 2
    assert failure.code == "DAEMON_UNREACHABLE" and "assay serve" in failure.fix


def test_somebody_else_on_the_port(daemon):
    daemon.protocols = ()
    assert refusal(lambda: AssayClient(daemon.url).score(greys(1))).code == "DAEMON_UNKNOWN"
    assert refusal(lambda: AssayClient(f"{daemon.url}/elsewhere").score(greys(1))).code == "DAEMON_UNKNOWN"


def test_connections_that_break_are_opened_again(assay, daemon):
    cuts = {"0", "50"}

    def answer(message):
        if found := cuts & {item["id"] for item in message["items"]}:
            cuts.difference_update(found)
            daemon.cut()
            return None
        return daemon.scores(message)

    daemon.answer = answer
    assert places(assay.score(greys(60))) == expected(60)
    assert 2 <= len(daemon.headers) <= 3  # both may be under way at once


def test_a_connection_that_always_breaks_is_given_up(daemon):
    daemon.answer = lambda _message: daemon.cut()
    with AssayClient(daemon.url, reconnects=2) as assay:
        assert refusal(lambda: assay.score(greys(1))).code == "DAEMON_UNREACHABLE"
    assert len(daemon.messages) == 3


def test_a_request_has_one_key_however_often_it_is_sent(assay, daemon):
    cuts = [True, True]
    daemon.answer = lambda m: daemon.cut() if cuts and cuts.pop() else daemon.scores(m)
    assert places(assay.score(greys(8))) == expected(8)
    keys = Counter()
    for message in daemon.messages:
        keys[message["idempotencyKey"], tuple(item["id"] for item in message["items"])] += 1
    assert len({key for key, _ in keys}) == len(keys)  # none is that of two requests
    assert len(daemon.messages) > len(keys)  # some came twice


def test_a_full_daemon_is_asked_again(assay, daemon):
    daemon.answer = lambda m: error("BUSY", retryAfterMs=30) if len(daemon.messages) < 4 else daemon.scores(m)
    assert places(assay.score(greys(10))) == expected(10)


def test_images_that_the_daemon_gave_back_are_sent_again_and_only_they(assay, daemon):
    def answer(message):
        results = daemon.scores(message)["results"]
        if len(daemon.ops("score")) <= 3:
            for item, result in zip(message["items"], results):
                if item["id"] == "2":
                    result.update(aspects=None, reward=None, error={"code": "SCORER_RECOVERING", "message": "so"})
        return {"ok": True, "results": results}

    daemon.answer = answer
    assert places(assay.score(greys(3))) == expected(3)
    sent = [item["id"] for item in daemon.sent()]
    assert sorted(set(sent)) == ["0", "1", "2"] and sent.count("0") == sent.count("1") == 1 and sent.count("2") > 1


def test_a_deadline_keeps_what_is_finished(assay, daemon):
    daemon.answer = lambda m: daemon.scores(m) if m["items"][0]["id"] == "0" else None
    begun = time.monotonic()
    results = assay.score(greys(10), timeout=0.5)
    assert time.monotonic() - begun < 2
    assert results[0].reward is not None
    assert {result.error.code for result in results[1:]} == {"DEADLINE"}
    assert "500 ms" in results[1].error.message
    until(lambda: daemon.ops("cancel"))


def test_a_deadline_with_nothing_finished_raises(assay, daemon):
    daemon.answer = lambda _message: None
    assert refusal(lambda: assay.score(greys(10), timeout=0.2)).code == "DEADLINE"
    daemon.answer = daemon.scores
    assert places(assay.score(greys(2))) == expected(2)


def test_a_deadline_holds_while_others_have_all_places(daemon):
    daemon.answer = lambda _message: None

    async def run():
        async with AsyncAssayClient(daemon.url) as assay:
            others = [asyncio.ensure_future(assay.score(greys(1))) for _ in range(IN_FLIGHT)]
            while daemon.items() < IN_FLIGHT:
                await asyncio.sleep(0.01)
            with pytest.raises(AssayFailure, match=r"300 ms.*DEADLINE"):
                await assay.score(greys(1), timeout=0.3)
            for other in others:
                other.cancel()

    asyncio.run(asyncio.wait_for(run(), 5))


@pytest.mark.skipif(os.name == "nt", reason="no unix sockets")
def test_a_unix_socket(loop):
    with tempfile.TemporaryDirectory(prefix="assay-") as folder:  # short, as the path of a socket must be
        daemon = FakeDaemon(path=f"{folder}/s")
        late = threading.Timer(0.2, lambda: loop.call(daemon.start()))
        late.start()
        with AssayClient(f"unix:{folder}/s") as assay:
            assert places(assay.score(greys(3))) == expected(3)
        late.join()
        loop.call(daemon.stop())


@pytest.mark.parametrize(
    "answer", [{"ok": True}, {"ok": True, "results": [{}]}, {"ok": True, "results": [5]}, {"ok": False}]
)
def test_answers_that_lack_something_are_no_scores(assay, daemon, answer):
    daemon.answer = lambda _message: answer
    try:
        codes = [result.error.code for result in assay.score(greys(1))]
    except AssayFailure as failure:
        codes = [failure.code]
    assert codes == ["INTERNAL"]


def test_threads_share_one_connection(assay, daemon):
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: places(assay.score(greys(30))), range(16)))
    assert found == [expected(30)] * 16
    assert len(daemon.headers) == 1
    assert 1 < daemon.most_due <= IN_FLIGHT


def test_cancelling_reaches_the_daemon(daemon):
    daemon.answer = lambda _message: None

    async def run():
        async with AsyncAssayClient(daemon.url) as assay:
            call = asyncio.ensure_future(assay.score(greys(1)))
            while not daemon.messages:
                await asyncio.sleep(0.01)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            while not daemon.ops("cancel"):
                await asyncio.sleep(0.01)
            daemon.answer = daemon.scores
            assert (await assay.score(greys(1)))[0].reward is not None

    asyncio.run(asyncio.wait_for(run(), 5))
    assert daemon.ops("cancel")[0]["target"] == daemon.ops("score")[0]["id"]


def test_one_async_client_on_one_loop_after_the_other(daemon):
    assay = AsyncAssayClient(daemon.url)
    for _ in range(3):
        assert places(asyncio.run(assay.score(greys(3)))) == expected(3)


def test_many_single_images_at_once(daemon):
    async def run():
        async with AsyncAssayClient(daemon.url) as assay:
            return await asyncio.gather(*[assay.score(image, ids=[at]) for at, image in enumerate(greys(200))])

    found = asyncio.run(run())
    assert places([one for (one,) in found]) == expected(200)
    assert [one.id for (one,) in found] == [str(at) for at in range(200)]
    assert len(daemon.headers) == 1 and daemon.most_due <= IN_FLIGHT


def test_clients_and_failures_can_be_pickled(assay, daemon):
    assay.score(greys(1))
    with pickle.loads(pickle.dumps(assay)) as again:
        assert places(again.score(greys(2))) == expected(2)
    failure = refusal(lambda: assay.score(5))
    same = pickle.loads(pickle.dumps(failure))
    assert (same.code, same.message, same.fix, str(same)) == (failure.code, failure.message, failure.fix, str(failure))


def _in_worker(assay):
    return places(assay.score(greys(20)))


def test_a_client_goes_into_a_spawned_process(assay):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(_in_worker, (assay,)) == expected(20)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_client_that_is_in_use_works_after_a_fork(assay, daemon):
    assay.score(greys(1))
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    children = [context.Process(target=lambda: queue.put(_in_worker(assay))) for _ in range(3)]
    for child in children:
        child.start()
    assert places(assay.score(greys(40))) == expected(40)
    for child in children:
        child.join(10)
        assert child.exitcode == 0
        assert queue.get() == expected(20)
    assert places(assay.score(greys(40))) == expected(40)
    assert len(daemon.headers) == 4  # the parent's own is still the first


def test_a_client_that_was_closed_opens_again(assay, daemon):
    assay.close()
    assert places(assay.score(greys(1))) == expected(1)
    assay.close()
    assay.close()
