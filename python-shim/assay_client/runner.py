"""The event loop of the synchronous client: one thread a process, started when it is first needed."""

from __future__ import annotations

import asyncio
import atexit
import os
import selectors
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None
_selector: selectors.BaseSelector | None = None
#: What a fork has brought along. Were it collected, it would take its sockets out of the parent's poll.
_inherited: list[object] = []


def loop() -> asyncio.AbstractEventLoop:
    global _loop, _selector
    with _lock:
        if _loop is None:
            _selector = selectors.DefaultSelector()
            _loop = asyncio.SelectorEventLoop(_selector)
            threading.Thread(target=_loop.run_forever, name="assay-client", daemon=True).start()
        return _loop


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Waits for a coroutine on the loop of this process; an interrupt cancels it."""
    future: Future[T] = asyncio.run_coroutine_threadsafe(coroutine, loop())
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


def post(coroutine: Coroutine[Any, Any, object]) -> None:
    """Runs a coroutine on the loop if there is one, and nobody waits for it."""
    if _loop is None:
        coroutine.close()
    else:
        asyncio.run_coroutine_threadsafe(coroutine, _loop)


def stop() -> None:
    global _loop
    with _lock:
        if _loop is not None:
            _loop.call_soon_threadsafe(_loop.stop)
        _loop = None


def keep(thing: object) -> None:
    """Keeps what came with a fork from being collected."""
    _inherited.append(thing)


def _forked() -> None:
    """Threads do not come along. The lock may have been held by one of them, and the poll is the parent's."""
    global _lock, _loop, _selector
    _lock = threading.Lock()
    if _selector is not None:
        _selector.close()
    _inherited.append(_loop)
    _loop = _selector = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
atexit.register(stop)
