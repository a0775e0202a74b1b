"""The pack loaded the way ComfyUI loads it, on stand-ins for the few modules of ComfyUI that it uses."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
import threading
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

#: The extension for the AUTOMATIC1111 family.
pytest_plugins = ["a1111_fixtures"]

PACK = Path(__file__).parents[1] / "comfyui"
NAME = "assay_pack"


class Interrupted(Exception):
    """Stands in for InterruptProcessingException."""


class Blocker:
    """Stands in for ExecutionBlocker."""

    def __init__(self, message):
        self.message = message


class Host:
    """What the stand-ins of ComfyUI do and what they were told."""

    def __init__(self):
        self.interrupt = threading.Event()
        self.texts: list[tuple] = []
        self.progress: list[int] = []
        self.client_id = "page"
        self.context = None
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def send_progress_text(self, text, node_id, sid=None):
        self.texts.append((text, node_id, sid))

    def check(self):
        if self.interrupt.is_set():
            self.interrupt.clear()
            raise Interrupted

    def call(self, coroutine):
        """Runs a coroutine on the server's loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10)

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()


def _module(name: str, **attributes) -> ModuleType:
    module = ModuleType(name)
    vars(module).update(attributes)
    return module


def _progress_bar(host: Host):
    return lambda _total: SimpleNamespace(update=host.progress.append)


@pytest.fixture
def host(monkeypatch, tmp_path):
    host = Host()
    modules = {
        "folder_paths": _module("folder_paths", get_user_directory=lambda: str(tmp_path / "user")),
        "nodes": _module("nodes", NODE_CLASS_MAPPINGS={}),
        "server": _module("server", PromptServer=SimpleNamespace(instance=host)),
        "comfy": _module("comfy"),
        "comfy.model_management": _module("mm", throw_exception_if_processing_interrupted=host.check),
        "comfy.utils": _module("utils", ProgressBar=_progress_bar(host)),
        "comfy_execution": _module("comfy_execution"),
        "comfy_execution.utils": _module("execution_utils", get_executing_context=lambda: host.context),
        "comfy_execution.graph_utils": _module("graph_utils", ExecutionBlocker=Blocker),
    }
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    yield host
    host.close()


@pytest.fixture(scope="session")
def loaded():
    spec = importlib.util.spec_from_file_location(NAME, PACK / "__init__.py", submodule_search_locations=[str(PACK)])
    module = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def part(loaded):
    """Imports a module of the pack by its name inside it."""
    return lambda name: importlib.import_module(f"{NAME}.{name}")


@pytest.fixture
def nodes(loaded):
    return SimpleNamespace(**loaded.NODE_CLASS_MAPPINGS)


@pytest.fixture
def connect(host, part, monkeypatch):
    """Points the pack at a daemon: `connect(url, token)`."""
    made = []

    def to(url: str, token: str | None = None):
        monkeypatch.setenv("ASSAY_URL", url)
        monkeypatch.setenv("ASSAY_TOKEN", token or "")
        part("waiting").daemon.cache_clear()
        made.append(part("waiting").daemon())
        return made[-1]

    yield to
    for connection in made:
        host.call(connection.close())
    part("waiting").daemon.cache_clear()


@pytest.fixture
def daemon(host, connect):
    """A running fake daemon that the pack is connected to."""
    from fake_daemon import FakeDaemon

    fake = FakeDaemon()
    host.call(fake.start())
    connect(fake.url)
    yield fake
    host.call(fake.stop())
