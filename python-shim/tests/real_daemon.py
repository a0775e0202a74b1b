"""The real daemon, where Node and its packages are installed."""

import json
import re
import subprocess
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

ROOT = Path(__file__).parents[2]
NODE = ROOT / "node_modules/.bin/node"


def started(*flags) -> tuple[subprocess.Popen, str]:
    """A daemon and its address."""
    if not NODE.exists():
        pytest.skip("no Node: run `npm ci`")
    # The default scorer finds drawn pictures foreign, and tests have no others.
    args = [NODE, "src/cli/index.ts", "serve", "--scorer", "assay-lite", *flags]
    process = subprocess.Popen(args, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return process, next(found[0] for line in process.stdout if (found := re.search(r"(http://|unix:)\S+", line)))


def ended(process: subprocess.Popen) -> None:
    """Without a farewell."""
    process.kill()
    process.communicate(timeout=10)


@contextmanager
def served(*flags):
    """The address of a daemon that runs meanwhile."""
    process, url = started(*flags)
    try:
        yield url
    finally:
        ended(process)


def rows_by_item(url) -> Counter:
    """How often the history has each item."""
    found, cursor = Counter(), ""
    while cursor is not None:
        with urlopen(f"{url}/v1/history?limit=500{cursor and f'&cursor={cursor}'}") as response:
            page = json.load(response)
        found.update(entry["result"]["id"] for entry in page["entries"])
        cursor = page["next"]
    return found
