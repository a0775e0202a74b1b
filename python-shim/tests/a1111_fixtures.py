"""The extension loaded the way a host loads it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
from a1111_host import FamilyHost
from http_daemon import HttpDaemon

EXTENSION = Path(__file__).parents[1] / "a1111"
#: In the order of the panel.
DEFAULTS = {"enabled": True}


def loaded(host: FamilyHost, monkeypatch):
    """The script of the extension in this host, with its package fresh."""
    for name, module in host.modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.syspath_prepend(str(EXTENSION))
    spec = importlib.util.spec_from_file_location("assay.py", EXTENSION / "scripts/assay.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Assay()


@pytest.fixture(params=["forge", "sdnext"])
def family(request) -> FamilyHost:
    return FamilyHost(request.param)


@pytest.fixture
def forge() -> FamilyHost:
    return FamilyHost("forge")


@pytest.fixture
def http_daemon(monkeypatch, tmp_path):
    """A running one, whose reject bin is in the test's folder."""
    daemon = HttpDaemon(str(tmp_path / "bin"))
    for name in ("ASSAY_TOKEN", "ASSAY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ASSAY_URL", daemon.url)
    yield daemon
    daemon.stop()


@pytest.fixture
def judge(monkeypatch, http_daemon):
    """Runs a job in a host: `judge(host, p, name=value, …)`."""

    def run(host: FamilyHost, p, **named):
        script = loaded(host, monkeypatch)
        return host.run(script, p, {**DEFAULTS, **named})

    return run
