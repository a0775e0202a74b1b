"""The fine-tuning run of examples/training, a few steps of it: it learns from rewards that the real daemon gives."""

import json
import os
import re
import subprocess
import sys
import urllib.request

import numpy as np
import pytest
from real_daemon import ROOT, served

from assay_client import AssayClient

EXAMPLE = ROOT / "examples/training"
SMALL = {"pictures": 32, "pretraining": 30, "steps": 2, "group": 3, "choices": 1, "measured": 1, "run": "short"}


def run(url, *command):
    return subprocess.run(
        [sys.executable, *command],
        env={**os.environ, "PYTHONPATH": str(ROOT / "python-shim"), "ASSAY_URL": url},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_a_short_run(tmp_path):
    flags = [text for name, value in SMALL.items() for text in (f"--{name}", str(value))]
    block = re.search(r"```python\n(.*?)```", (EXAMPLE / "README.md").read_text("utf-8"), re.S)[1]
    with served("--port", "0", "--config", EXAMPLE / "config.json", "--data-dir", tmp_path / "data") as url:
        model = tmp_path / "landscapes.pt"
        said = run(url, EXAMPLE / "train.py", "--url", url, "--model", model, *flags)
        assert said.returncode == 0, said.stderr
        with urllib.request.urlopen(f"{url}/v1/monitor") as answer:
            runs = {one["run"]: one for one in json.load(answer)["runs"]}
        of_the_page = run(url, "-c", block)
        assert of_the_page.returncode == 0, of_the_page.stderr
    assert of_the_page.stdout.startswith("[None, ")  # its images are noise
    assert model.exists()
    assert re.search(r"step +2  reward \d\.\d{3}\n  reward \d\.\d{3} -> \d\.\d{3}: ", said.stdout)
    short = runs["short-0"]
    assert (short["profile"], short["images"], short["recent"]["failed"]) == ("landscapes", 2 * 4 * 3, 0)
    assert short["recent"]["reward"] > 0 and short["recent"]["withinGroups"] > 0
    assert short["heldOut"]["judged"] + short["heldOut"]["skipped"] <= 2


def test_the_scorer_that_is_easy_to_game(tmp_path):
    pytest.importorskip("onnx")
    made = run("", EXAMPLE / "dark.py", tmp_path)
    assert made.returncode == 0, made.stderr
    flags = ("--config", EXAMPLE / "gamed.json", "--models", tmp_path, "--data-dir", tmp_path / "data")
    pictures = np.stack([np.full((64, 64, 3), level, np.uint8) for level in (40, 120, 200)])
    with served("--port", "0", *flags) as url, AssayClient(url) as assay:
        rewards = assay.rewards(pictures, "a picture", profile={"terms": [{"scorer": "dark"}], "guards": []}).rewards
    assert rewards == pytest.approx([1 - level / 255 for level in (40, 120, 200)], abs=0.01)
