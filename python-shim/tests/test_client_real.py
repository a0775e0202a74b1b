"""The client and the real daemon: scores do not depend on the road, and nothing is lost when the daemon dies."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import numpy as np
import pytest
import torch
from PIL import Image
from real_daemon import ended, served, started

from assay_client import AssayClient, AssayFailure

TOLERANCE = 1e-4
COUNT = 24
PROMPT = "blots of colour"


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
    """Each ends in a value or a coded error, and most in a value: the client waits for the daemon."""
    process, url = started("--port", "0", "--data-dir", tmp_path)
    outcomes: list[object] = []

    def one(at):
        try:
            outcomes.append((at, assay.score(images[at % COUNT], PROMPT, ids=[at], timeout=60)[0]))
        except AssayFailure as failure:
            outcomes.append((at, failure))

    with AssayClient(url) as assay, ThreadPoolExecutor(16) as pool:
        asked = [pool.submit(one, at) for at in range(150)]
        while len(outcomes) < 30:
            time.sleep(0.01)
        ended(process)
        process, _ = started("--port", str(urlsplit(url).port), "--data-dir", tmp_path)
        for future in asked:
            future.result(60)
    ended(process)
    assert sorted(at for at, _ in outcomes) == list(range(150))
    assert all(found.id == str(at) and found.error is None for at, found in outcomes)
    assert threading.active_count() < 30
