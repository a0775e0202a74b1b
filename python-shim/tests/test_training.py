"""The fine-tuning run of examples/training, a few steps of it: it learns from rewards that the real daemon gives."""

import json
import os
import re
import subprocess
import sys
import urllib.request

from real_daemon import ROOT, served

EXAMPLE = ROOT / "examples/training"
SMALL = {"pictures": 32, "pretraining": 2, "steps": 2, "group": 3, "choices": 1, "measured": 1, "run": "short"}


def test_a_short_run(tmp_path):
    with served("--port", "0", "--config", EXAMPLE / "config.json", "--data-dir", tmp_path / "data") as url:
        model = tmp_path / "landscapes.pt"
        flags = [text for name, value in SMALL.items() for text in (f"--{name}", str(value))]
        said = subprocess.run(
            [sys.executable, EXAMPLE / "train.py", "--url", url, "--model", model, *flags],
            env={**os.environ, "PYTHONPATH": str(ROOT / "python-shim")},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert said.returncode == 0, said.stderr
        with urllib.request.urlopen(f"{url}/v1/monitor") as answer:
            runs = {run["run"]: run for run in json.load(answer)["runs"]}
    assert model.exists()
    assert re.search(r"step +2  reward \d\.\d{3}\n  reward \d\.\d{3} -> \d\.\d{3}: ", said.stdout)
    run = runs["short-0"]
    assert (run["profile"], run["images"], run["recent"]["failed"]) == ("landscapes", 2 * 4 * 3, 0)
    assert run["recent"]["reward"] > 0 and run["recent"]["withinGroups"] > 0
    assert run["heldOut"]["judged"] + run["heldOut"]["skipped"] <= 2
