"""Waiting, from ComfyUI's worker thread, for what happens on the loop of its server."""

from __future__ import annotations

import asyncio
from concurrent.futures import FIRST_COMPLETED, Future, wait
from functools import cache

from .connection import Connection

#: Seconds between two looks at whether the user has interrupted the run.
SLICE_S = 0.025


@cache
def daemon() -> Connection:
    return Connection.from_environment("comfyui")


def submit(coroutine) -> Future:
    """Starts a coroutine on the server's loop."""
    from server import PromptServer

    return asyncio.run_coroutine_threadsafe(coroutine, PromptServer.instance.loop)


def check_interrupted() -> None:
    """Raises ComfyUI's InterruptProcessingException when the user has interrupted the run."""
    from comfy.model_management import throw_exception_if_processing_interrupted

    throw_exception_if_processing_interrupted()


def first_done(pending) -> set[Future]:
    """Waits until at least one is done; raises as `check_interrupted`. Each future must have a deadline of its own."""
    while True:
        check_interrupted()
        done, _ = wait(pending, timeout=SLICE_S, return_when=FIRST_COMPLETED)
        if done:
            return done
