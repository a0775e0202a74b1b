"""Studies against the real daemon: the examples, the page, and what survives."""

import asyncio
import re
import runpy
import sys

import numpy as np
import pytest
from real_daemon import ROOT, ended, served, started

from assay_client import AssayClient, AssayFailure, AsyncAssayClient

EXAMPLES = ROOT / "examples/studies"
PAGE = (ROOT / "docs/studies.md").read_text("utf-8")


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with served("--port", "0", "--data-dir", tmp_path_factory.mktemp("data")) as url:
        yield url


@pytest.fixture
def assay(url):
    with AssayClient(url) as client:
        yield client


@pytest.fixture
def landscapes(monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path, str(ROOT / "examples/trainers")])
    return __import__("pictures").landscapes


def refusal(code, call):
    with pytest.raises(AssayFailure) as caught:
        call()
    assert caught.value.code == code
    return caught.value.message


@pytest.mark.parametrize("name", ["local", "cloud"])
def test_example(name, url, monkeypatch, capsys):
    monkeypatch.setenv("ASSAY_URL", url)
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    said = capsys.readouterr().out
    promised = re.search(rf"{name}.py\n```\n+```\n(.*?)```", (EXAMPLES / "README.md").read_text("utf-8"), re.S)[1]
    numbers = re.compile(r"\d+\.\d+")
    assert numbers.sub("#", said) == numbers.sub("#", promised)
    assert [*map(float, numbers.findall(said))] == pytest.approx([*map(float, numbers.findall(promised))], abs=0.05)


def test_the_blocks_of_the_page(url, landscapes):
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.S)

    def pipe(prompt, generator=None, num_inference_steps=20):
        return landscapes(1, size=96, first=generator % 1000)

    given = {"pipe": pipe, "seed": int, "rate": lambda image: float(np.mean(image))}
    for block in blocks:
        exec(compile(block.replace("http://127.0.0.1:7878", url), "docs/studies.md", "exec"), given)
    assert len(blocks) == 3
    assert given["study"].best


def test_the_best_are_those_of_the_highest_value(assay):
    study = assay.study("a fox", budget=5, keep=2, seed=3)
    values = iter([0.1, 0.9, None, 0.5, 0.3])
    seeds = []
    for trial in study:
        seeds.append(trial.seed)
        trial.tell(names=f"{trial.id}.png", scores=[next(values)])
    assert len(set(seeds)) == 5 and "5 images" in study.done
    assert [(winner.image, winner.value) for winner in study.winners] == [("t2.png", 0.9), ("t4.png", 0.5)]
    assert study.best.trial.seed == seeds[1]


def test_a_daemon_and_a_client_that_die_lose_nothing(tmp_path, landscapes):
    process, url = started("--port", "0", "--data-dir", tmp_path)
    try:
        with AssayClient(url) as assay:
            study = assay.study("hills", budget=4, id="hills")
            trials = [study.ask()[0] for _ in range(3)]
            for at, trial in enumerate(trials[:2]):
                if at == 1:
                    ended(process)
                    process, _ = started("--port", url.rsplit(":", 1)[1], "--data-dir", tmp_path)
                results = trial.tell(landscapes(1, size=96, first=at))
                assert results[0].prompt == "hills"
        with AssayClient(url) as assay:
            again = assay.study("hills", budget=4, id="hills")
            seen = []
            for trial in again:
                seen.append(trial.id)
                trial.tell(scores=0)
            assert seen == ["t3", "t4"] and again.done
            assert "told already" in refusal("TRIAL_TOLD", lambda: trials[0].tell(scores=0.7))
            assert trials[0].tell(landscapes(1, size=96, first=0)) == []
    finally:
        ended(process)


def test_what_does_not_fit(assay):
    assert "strategy.name" in refusal("STUDY_INVALID", lambda: assay.study("a fox", strategy="luck"))
    assert "images" in refusal("STUDY_INVALID", lambda: assay.study("a fox", budget=0))
    study = assay.study("a fox", budget=2, pick=["reward", "quality"], id="two-measures")
    refusal("STUDY_TAKEN", lambda: assay.study("a wolf", budget=2, id="two-measures"))
    (trial,) = study.ask()
    for given in ({}, {"scores": 0.5}, {"scores": {"reward": "high"}}, {"scores": [0.1, 0.2], "names": ["a"]}):
        refusal("BAD_REQUEST", lambda given=given: trial.tell(**given))
    refusal("FILE_NOT_FOUND", lambda: trial.tell("nowhere.png"))
    assert study.ask() != [] and study.ask() == []
    assert "t1, t2" in refusal("BAD_REQUEST", lambda: next(iter(study)))


def test_failures_cost_nothing_and_end_it_in_the_end(assay):
    study = assay.study("a fox", budget=2)
    count = 0
    for trial in study:
        trial.fail("no memory")
        count += 1
    assert count == 5 and "no memory" in study.done and study.best is None


def test_asyncio(url):
    async def search():
        async with AsyncAssayClient(url) as assay:
            study = assay.study("a fox", budget=4, axes={"cfg": {"low": 2, "high": 8}})
            async for trial in study:
                await trial.tell(scores={"reward": -abs(trial.parameters["cfg"] - 5)})
            return study

    study = asyncio.run(search())
    assert study.done and -3 <= study.best.value <= 0
