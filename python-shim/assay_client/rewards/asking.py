"""Asks for one or several measures of images: one call for each scorer that they name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..aio import AsyncAssayClient
from ..client import AssayClient
from ..results import Result
from .measures import Measure

_shared: dict[type, Any] = {}


def shared() -> AssayClient:
    """The client of this process for adapters that were given none; its address comes from the environment."""
    return _shared.get(AssayClient) or _made(AssayClient)


def shared_async() -> AsyncAssayClient:
    return _shared.get(AsyncAssayClient) or _made(AsyncAssayClient)


def _made(kind: type) -> Any:
    _shared[kind] = kind()
    return _shared[kind]


def scorers_of(measures: Iterable[Measure]) -> list[str | None]:
    return list(dict.fromkeys(measure.scorer for measure in measures))


def ask(
    client: AssayClient | None, measures: Iterable[Measure], images: Any, prompts: Any, **fields: Any
) -> dict[str | None, list[Result]]:
    """The results by scorer."""
    asked = client or shared()
    return {scorer: asked.score(images, prompts, scorer=scorer, **fields) for scorer in scorers_of(measures)}


async def ask_async(
    client: AsyncAssayClient | None, measures: Iterable[Measure], images: Any, prompts: Any, **fields: Any
) -> dict[str | None, list[Result]]:
    asked = client or shared_async()
    return {scorer: await asked.score(images, prompts, scorer=scorer, **fields) for scorer in scorers_of(measures)}
