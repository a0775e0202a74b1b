"""The client for code that waits: the one for asyncio, run in a thread of its own."""

from __future__ import annotations

import atexit
import weakref
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from . import runner
from .aio import HEALTH_S, RECONNECTS, TIMEOUT_S, WAIT_S, Advantage, AsyncAssayClient
from .results import Health, Ranking, Result
from .reward_results import RewardResult
from .study import Study

_open: weakref.WeakSet[AssayClient] = weakref.WeakSet()


class AssayClient:
    """Scores images with an Assay daemon; arguments as those of AsyncAssayClient.

    One client serves all threads of a process, works after a fork, and can be pickled: each process opens a connection
    of its own.

        with AssayClient() as assay:
            results = assay.score(images, prompts=prompts)
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        name: str | None = None,
        timeout: float = TIMEOUT_S,
        wait: float = WAIT_S,
        reconnects: int = RECONNECTS,
    ):
        """Raises CONFIG_INVALID, TOKEN_UNREADABLE."""
        self._client = AsyncAssayClient(url, token, name=name, timeout=timeout, wait=wait, reconnects=reconnects)
        _open.add(self)

    @property
    def url(self) -> str:
        return self._client.url

    def score(
        self,
        images: Any,
        prompts: str | Sequence[str | None] | None = None,
        *,
        ids: Sequence[str | int] | None = None,
        groups: Sequence[Hashable] | Hashable = None,
        scorer: str | None = None,
        policy: Mapping[str, Any] | None = None,
        layout: str | None = None,
        timeout: float | None = None,
    ) -> list[Result]:
        """One result for each image, in order; see AsyncAssayClient.score."""
        asked = self._client.score(
            images,
            prompts,
            ids=ids,
            groups=groups,
            scorer=scorer,
            policy=policy,
            layout=layout,
            timeout=timeout,
        )
        return runner.run(asked)

    def rank(
        self,
        images: Any,
        prompt: str | None = None,
        *,
        ids: Sequence[str | int] | None = None,
        scorer: str | None = None,
        layout: str | None = None,
        timeout: float | None = None,
    ) -> Ranking:
        """Images of one prompt, best first; see AsyncAssayClient.rank."""
        return runner.run(self._client.rank(images, prompt, ids=ids, scorer=scorer, layout=layout, timeout=timeout))

    def rewards(
        self,
        images: Any,
        prompts: str | Sequence[str | None] | None = None,
        *,
        profile: str | Mapping[str, Any] | None = None,
        scorers: Sequence[str] | None = None,
        groups: Sequence[Hashable] | Hashable = None,
        advantage: Advantage | None = None,
        run: str | None = None,
        ids: Sequence[str | int] | None = None,
        layout: str | None = None,
        timeout: float | None = None,
    ) -> RewardResult:
        """One reward for each image, in order, and the figures of each group; see AsyncAssayClient.rewards."""
        asked = self._client.rewards(
            images,
            prompts,
            profile=profile,
            scorers=scorers,
            groups=groups,
            advantage=advantage,
            run=run,
            ids=ids,
            layout=layout,
            timeout=timeout,
        )
        return runner.run(asked)

    def study(
        self,
        prompt: str | None,
        *,
        strategy: str | Mapping[str, Any] = "best-of-n",
        budget: float = 60,
        keep: int | None = None,
        axes: Mapping[str, Any] | None = None,
        pick: str | Sequence[str] | None = None,
        price: Mapping[str, Any] | None = None,
        minutes: float | None = None,
        seed: int | None = None,
        scorer: str | None = None,
        policy: Mapping[str, Any] | None = None,
        id: str | None = None,
    ) -> Study:
        """A search with a generator of your own; see AsyncAssayClient.study.

        for trial in assay.study("a fox", strategy="halving", budget=32):
            trial.tell(generate(trial.prompt, seed=trial.seed, steps=trial.steps(28)))
        """
        begun = self._client.study(
            prompt,
            strategy=strategy,
            budget=budget,
            keep=keep,
            axes=axes,
            pick=pick,
            price=price,
            minutes=minutes,
            seed=seed,
            scorer=scorer,
            policy=policy,
            id=id,
        )
        return Study(begun)

    def health(self, timeout: float = HEALTH_S) -> Health:
        """The daemon, as it answers now; see AsyncAssayClient.health."""
        return runner.run(self._client.health(timeout))

    def close(self) -> None:
        """Ends the connection. A later call opens another."""
        if self._client.is_open:
            runner.run(self._client.close())

    def __enter__(self) -> AssayClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        client = self.__dict__.get("_client")  # absent when its making failed
        if client is not None and client.is_open:
            runner.post(client.close())

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)
        _open.add(self)


@atexit.register
def _close_all() -> None:
    """An open connection at the end of a process is no one's fault."""
    for client in list(_open):
        client.close()
