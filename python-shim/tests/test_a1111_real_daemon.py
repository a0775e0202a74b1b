"""The extension against the real daemon and its command line, where Node and its packages are installed."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path

import pytest
import torch
from a1111_fixtures import loaded
from a1111_host import FamilyHost, Processing
from real_daemon import NODE, ROOT, served
from test_a1111_batches import labels, told


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def url(data):
    with served("--port", "0", "--data-dir", data, "--token", "long-enough") as url:
        yield url


@pytest.fixture
def run(url, monkeypatch, tmp_path):
    """Runs a job whose pictures are soft blots of colour: no guard takes them for blank or noise."""

    def job(**named):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("ASSAY_URL", url)
        monkeypatch.setenv("ASSAY_TOKEN", named.pop("token", "long-enough"))
        host = FamilyHost()
        host.spoil = lambda number, images: [picture(1), torch.zeros(3, 256, 256), picture(6)]
        processed = host.run(loaded(host, monkeypatch), Processing(batch_size=3, prompt="soft blots"), named)
        return host, processed

    return job


def picture(seed: int) -> torch.Tensor:
    small = torch.rand(1, 3, 6, 6, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(small, (256, 256), mode="bicubic")[0].clamp(0, 1)


def assay(data: Path, *args: str) -> str:
    command = [NODE, "src/cli/index.ts", *args, "--data-dir", data]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_scores_and_policies_are_understood(run):
    _, processed = run(measure="reward", threshold=0.0)
    scores = [image["aspects"].get("quality") for image in told(processed)["images"]]
    assert all(isinstance(score["score"], float) and len(score["interval"]) == 2 for score in scores)
    assert told(processed)["scorer"]["id"] == "assay-lite"
    assert labels(processed) == ["accepted", "rejected", "accepted"], processed.comments
    assert "blank" in processed.infotexts[1]
    assert "Assay alignment: " in processed.infotexts[0]


def test_what_is_moved_is_listed_and_restored_by_the_command_line(run, data, tmp_path):
    host, processed = run(action="move", threshold=0)
    assert (len(processed.images), len(host.saved)) == (2, 2)
    [rejected] = json.loads(assay(data, "rejects", "list", "--format", "json"))["rejects"]
    assert rejected["original"].startswith(str(tmp_path / "outputs/txt2img-images/assay-"))
    assert "blank" in rejected["reasons"][0]
    assert "blank" in assay(data, "rejects", "list")
    assert rejected["original"] in assay(data, "rejects", "restore", rejected["id"])
    assert Path(rejected["original"]).stat().st_size > 0
    assert "no rejected images" in assay(data, "rejects", "list")


def test_refusals_are_understood(run):
    assert "[UNAUTHORIZED]" in run(token="another-one")[1].comments
    assert "[UNKNOWN_SCORER]" in run(scorer="nobody")[1].comments


@pytest.mark.skipif(os.name == "nt", reason="no unix sockets")
def test_a_unix_socket(monkeypatch):
    with tempfile.TemporaryDirectory(prefix="assay-") as folder:  # short, as the path of a socket must be
        with served("--socket", f"{folder}/s", "--data-dir", folder) as url:
            monkeypatch.setenv("ASSAY_URL", url)
            host = FamilyHost()
            host.spoil = lambda number, images: [picture(14)]
            processed = host.run(loaded(host, monkeypatch), Processing(batch_size=1), {"threshold": 0})
        assert labels(processed) == ["accepted"]
