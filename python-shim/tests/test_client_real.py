"""The client and the real daemon: scores do not depend on the road, and nothing is lost when the daemon dies."""

import json
import math
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import numpy as np
import pytest
import torch
from PIL import Image
from real_daemon import ended, rows_by_item, served, started

from assay_client import AssayClient, AssayFailure

TOLERANCE = 1e-4
COUNT = 24
PROMPT = "blots of colour"
#: The blots are foreign to every scorer.
QUALITY = {"terms": [{"aspect": "quality"}], "guards": []}


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with served("--port", "0", "--data-dir", tmp_path_factory.mktemp("data"), "--token", "long-enough") as url:
        yield url


@pytest.fixture
def assay(url):
    with AssayClient(url, "long-enough") as client:
        yield client


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    """NCHW 0..1: soft blots of colour, that no guard takes for blank or noise."""
    small = torch.rand(COUNT, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    return torch.nn.functional.interpolate(small, (96, 96), mode="bicubic").clamp(0, 1)


def scores(results) -> np.ndarray:
    assert [result.error for result in results] == [None] * len(results)
    return np.array([[result.score("quality"), result.score("alignment")] for result in results])


def test_one_by_one_in_one_batch_shuffled_and_from_8_clients(url, assay, images):
    batch = scores(assay.score(images, PROMPT))
    one_by_one = np.concatenate([scores(assay.score(image, PROMPT)) for image in images])
    order = random.Random(0).sample(range(COUNT), COUNT)
    shuffled = scores(assay.score(images[order], PROMPT))

    def part(at):
        with AssayClient(url, "long-enough") as client:
            return scores(client.score(images[at::8], PROMPT))

    with ThreadPoolExecutor(8) as pool:
        parts = list(pool.map(part, range(8)))
    from_eight = np.empty_like(batch)
    for at, found in enumerate(parts):
        from_eight[at::8] = found
    assert np.abs(one_by_one - batch).max() <= TOLERANCE
    assert np.abs(shuffled - batch[order]).max() <= TOLERANCE
    assert np.abs(from_eight - batch).max() <= TOLERANCE
    assert np.ptp(batch[:, 0]) > 0.05  # they are not all the same


def test_every_form_has_the_same_scores(assay, images, tmp_path):
    few = images[:3]
    eight = (few * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    files = [tmp_path / f"{at}.png" for at in range(3)]
    for file, pixels in zip(files, eight):
        Image.fromarray(pixels).save(file)
    base = scores(assay.score(few, PROMPT))
    forms = [few.permute(0, 2, 3, 1), eight, list(eight), [Image.fromarray(one) for one in eight], files]
    for form in [*forms, [file.read_bytes() for file in files]]:
        assert np.abs(scores(assay.score(form, PROMPT)) - base).max() <= TOLERANCE


def test_results_are_typed(assay, images):
    result = assay.score(images[:1], PROMPT, ids=["a"], groups=["g"])[0]
    assert (result.id, result.group, result.width, result.height, result.prompt) == ("a", "g", 96, 96, PROMPT)
    assert result.scorer.id == "assay-lite" and result.scorer.weights.startswith("sha256:")
    quality = result.aspects["quality"]
    assert quality.range[0] <= quality.interval[0] <= quality.score <= quality.interval[1] <= quality.range[1]
    assert result.aspects["authenticity"] is None
    assert assay.score(images[:1], prompts=[None])[0].score("alignment") is None


def test_rank(assay, images):
    ranking = assay.rank(images[:6], PROMPT, ids=list("abcdef"))
    assert [result.id for result in ranking.results] == list("abcdef")
    assert sorted(ranking.order) == list(range(6))
    rewards = [ranking.results[at].reward for at in ranking.order]
    known = [reward for reward in rewards if reward is not None]
    assert known == sorted(known, reverse=True) and rewards[: len(known)] == known
    assert ranking.best == (ranking.order[0] if known else None)


def test_health(url, assay):
    health = assay.health()
    assert health.version and isinstance(health.ready, bool)
    with pytest.raises(AssayFailure, match="UNAUTHORIZED"):
        AssayClient(url, "wrong-one").health()
    with pytest.raises(AssayFailure, match="DAEMON_UNREACHABLE"):
        AssayClient("http://127.0.0.1:9").health()


def test_refusals_of_the_daemon(assay, images):
    with pytest.raises(AssayFailure, match="UNKNOWN_SCORER"):
        assay.score(images[:20], scorer="nobody")
    good, small = assay.score([images[0], images[1, :, :5, :5]], PROMPT)
    assert good.error is None
    assert small.error.code == "IMAGE_TOO_SMALL" and small.reward is None


def test_an_image_too_large_is_said_and_costs_the_others_nothing(tmp_path, images):
    config = tmp_path / "config.json"
    config.write_text('{"limits": {"maxBodyBytes": 200000, "maxPixels": 20000}}')
    with served("--port", "0", "--data-dir", tmp_path, "--config", config) as url, AssayClient(url) as assay:
        large, heavy = np.zeros((160, 160, 3), np.uint8), np.zeros((300, 300, 3), np.uint8)
        first, too_large, too_heavy, last = assay.score([images[0], large, heavy, images[1]], PROMPT)
        assert first.error is None and last.error is None
        assert too_large.error.code == "IMAGE_TOO_LARGE"
        assert too_heavy.error.code == "BODY_TOO_LARGE"


def test_a_daemon_killed_and_started_again_under_many_requests(tmp_path, images):
    """Each of 500 has one value, since the client waits for the daemon, and none is in the history twice."""
    count = 500
    process, url = started("--port", "0", "--data-dir", tmp_path)
    outcomes: list[object] = []

    def one(at):
        try:
            outcomes.append((at, assay.score(images[at % COUNT], PROMPT, ids=[at])[0]))
        except AssayFailure as failure:
            outcomes.append((at, failure))

    with AssayClient(url) as assay, ThreadPoolExecutor(32) as pool:
        asked = [pool.submit(one, at) for at in range(count)]
        while len(outcomes) < count // 3:
            time.sleep(0.01)
        ended(process)
        process, _ = started("--port", str(urlsplit(url).port), "--data-dir", tmp_path)
        for future in asked:
            future.result(180)
    rows = rows_by_item(url)
    ended(process)
    assert sorted(at for at, _ in outcomes) == list(range(count))
    assert all(found.id == str(at) and found.error is None for at, found in outcomes)
    assert max(rows.values()) == 1
    # What was answered in the last milliseconds before the end was not written down yet.
    assert count - 100 < len(rows) <= count
    assert threading.active_count() < 45


def test_rewards_of_groups(assay, images):
    groups = [at // 4 for at in range(12)]
    found = assay.rewards(images[:12], PROMPT, groups=groups, advantage="zscore", profile=QUALITY)
    alone = assay.score(images[:12], PROMPT)
    assert [item.group for item in found] == groups and [item.id for item in found] == [str(at) for at in range(12)]
    assert found.rewards == pytest.approx([result.score("quality") / 5 for result in alone])
    assert [component.value for item in found for component in item.components.values()] == found.rewards
    for group in found.groups:
        mine = np.array(found.rewards).reshape(3, 4)[group.group]
        assert (group.count, group.used, group.zero_variance) == (4, 4, False)
        assert (group.mean, group.std) == pytest.approx((mine.mean(), mine.std()))
        advantages = [item.advantage for item in found if item.group == group.group]
        assert advantages == pytest.approx((mine - mine.mean()) / (mine.std() + 1e-4), abs=1e-6)
    assert [group.group for group in found.groups] == [0, 1, 2]
    assert found.profile["guards"] == [] and [scorer.id for scorer in found.scorers] == ["assay-lite"]
    quality = found[0].components["quality"].aspects["quality"]
    assert quality.score == alone[0].score("quality") and quality.raw is not None


def test_a_run_has_the_name_it_is_given(url, assay, images):
    assay.rewards(images[:2], PROMPT, profile=QUALITY, run="the.ninth")
    asked = Request(f"{url}/v1/monitor", headers={"Authorization": "Bearer long-enough"})
    with urlopen(asked) as answer:
        assert "the.ninth" in [run["run"] for run in json.load(answer)["runs"]]


def test_rewards_that_are_missing(assay, images):
    """The daemon decides for images that could not be sent, too."""
    given = [*images[:3], torch.zeros(3, 96, 96), torch.full((3, 96, 96), math.nan)]
    floor = {**QUALITY, "guards": ["blank"], "missing": {"floor": -1}}
    found = assay.rewards(given, PROMPT, profile=floor, groups="one")
    assert found.rewards[3:] == [-1, -1] and min(found.rewards[:3]) > 0
    assert [item.missing and item.missing.because for item in found] == [None, None, None, "guard", "failed"]
    assert found[3].missing.applied == found[4].missing.applied == "floor" and found[3].error is None
    assert found[4].error.code == "IMAGE_VALUES" and "NaN" in found[4].missing.reason
    (group,) = found.groups
    assert (group.count, group.used, group.near_blank) == (5, 5, ("3",))
    left_out = assay.rewards(given, PROMPT, profile={**floor, "missing": "leave-out"}, advantage="rank")
    assert left_out.rewards[3:] == left_out.advantages[3:] == [None, None]
    assert left_out.groups[0].used == 3


def test_rewards_that_cannot_be(assay, images):
    for fields, code in (
        ({"profile": "nobody"}, "UNKNOWN_PROFILE"),
        ({"scorers": ["nobody"]}, "UNKNOWN_SCORER"),
        ({"advantage": "best"}, "BAD_REQUEST"),
        ({"profile": "default", "scorers": ["assay-lite"]}, "BAD_REQUEST"),
        ({"groups": [["a"], ["b"]]}, "BAD_REQUEST"),
    ):
        with pytest.raises(AssayFailure, match=code):
            assay.rewards(images[:2], PROMPT, **fields)
    with pytest.raises(AssayFailure, match="IMAGE_VALUES"):
        assay.rewards(images[:2] * math.nan, PROMPT)
    with pytest.raises(AssayFailure, match=r"257 came.*limits.maxItems"):
        assay.rewards(images[:1].expand(257, 3, 96, 96), PROMPT)
    assert list(assay.rewards([])) == []


def test_a_group_that_is_too_large_costs_the_others_nothing(assay, images):
    groups = torch.tensor([0] * 257 + [1] * 2)  # a tensor, as trainers have them
    found = assay.rewards(images[:1].expand(259, 3, 96, 96), PROMPT, groups=groups, profile=QUALITY)
    assert {item.error.code for item in found[:257]} == {"BAD_REQUEST"} and found.rewards[256] is None
    assert None not in found.rewards[257:]
    assert [(group.group, group.count, group.used) for group in found.groups] == [(0, 257, 0), (1, 2, 2)]
    assert found.groups[1].zero_variance and found.groups[1].duplicates == (("257", "258"),)
