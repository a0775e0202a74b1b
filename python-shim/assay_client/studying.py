"""A search with any generator, for asyncio: the daemon says what to try, and is told what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from .link.failures import AssayFailure, fail
from .results import Result, result_of
from .scoring import ATTEMPTS
from .sending import LONGEST_PAUSE_S, Call, new_key
from .trial import Asked, Winner, asked_of, telling_of, winner_of


@dataclass(frozen=True)
class AsyncTrial(Asked):
    """One candidate to make, and to tell of."""

    study: AsyncStudy

    async def tell(
        self,
        images: Any = None,
        *,
        names: Any = None,
        scores: Any = None,
        prompt: str | None = None,
        layout: str | None = None,
    ) -> list[Result]:
        """Tells what was made: images, which the daemon scores, or scores of your own.

        `images` as in AsyncAssayClient.score, or what a pipeline of diffusers returns. `names`: one for each image,
        that winners are called by; else they have the id of the trial. `scores`: one for each image, a number or a
        mapping of measures; in a list, None stands for an image that has none. `prompt`: what the images are judged by,
        in place of the trial's. Returns the results of the daemon, none where scores are your own.

        Raises TRIAL_TOLD, and what is wrong with the images.
        """
        return await self.study._tell(self, images, names=names, scores=scores, prompt=prompt, layout=layout)

    async def fail(self, reason: object) -> None:
        """There is no image, and why. It costs nothing of the budget; five in a row end the study."""
        await self.study._send_outcome(self, {"failed": {"code": "FAILED", "message": str(reason)[:1024]}}, 0)


class AsyncStudy:
    """Iterating gives trials until the study is over; tell each of them before the next.

    The daemon keeps it: begun again with the same plan and `id`, it goes on, and what was asked for and not told comes
    first.
    """

    def __init__(self, call: Callable[[], Call], id: str | None, plan: dict):
        self.id = id or new_key()
        #: Why it is over, in words; None while it goes on.
        self.done: str | None = None
        #: As they were known last: when the study was begun, at its end, and after `refresh`.
        self.winners: list[Winner] = []
        #: The plan, with its defaults; empty before it is begun.
        self.spec: dict = {}
        self._call = call
        self._plan = plan
        self._held: set[str] = set()

    @property
    def best(self) -> Winner | None:
        return self.winners[0] if self.winners else None

    async def begin(self) -> None:
        """Begins it, or goes on with it; iterating does so, too. Raises STUDY_INVALID, STUDY_TAKEN, STUDIES_FULL."""
        if not self.spec:
            self._learn(await self._call().send("study-begin", {"study": self.id, **self._plan}))

    async def refresh(self) -> None:
        """Asks how it stands."""
        self._learn(await self._call().send("study", {"study": self.id}))

    async def ask(self, n: int = 1) -> list[AsyncTrial]:
        """What to try next: fewer than `n`, or none, where results must come first, or it is over: then `done` says
        why."""
        await self.begin()
        answer = await self._call().send("study-ask", {"study": self.id, "n": n, "held": sorted(self._held)})
        with _understood():
            trials = [AsyncTrial(**vars(asked_of(raw)), study=self) for raw in answer["trials"]]
        self._held.update(trial.id for trial in trials)
        if answer["done"]:
            await self.refresh()
        return trials

    async def next(self) -> AsyncTrial | None:
        """The next trial; None when it is over. Raises BAD_REQUEST where a trial before must be told first."""
        if trials := await self.ask():
            return trials[0]
        if self.done is None:
            waiting = ", ".join(sorted(self._held)[:5]) or "others"
            raise fail("BAD_REQUEST", reason=f"the study waits for {waiting}; expected tell() or fail() for each trial")
        return None

    async def __aiter__(self) -> AsyncIterator[AsyncTrial]:
        while trial := await self.next():
            yield trial

    async def _tell(self, trial: AsyncTrial, images: Any, **given: Any) -> list[Result]:
        message, size = await asyncio.to_thread(telling_of, trial, self.spec["pick"], images, **given)
        answer = await self._send_outcome(trial, message, size)
        with _understood():
            return [result_of(raw, raw["id"], None, ()) for raw in answer["results"]]

    async def _send_outcome(self, trial: Asked, message: dict, size: int) -> dict:
        body = {"study": self.id, "trial": trial.id, "idempotencyKey": new_key(), **message}
        for left in range(ATTEMPTS - 1, -1, -1):
            try:
                answer = await self._call().send("study-tell", body, size)
                break
            except AssayFailure as failure:
                if failure.code != "TRIAL_UNSCORED" or left == 0:
                    raise
                await asyncio.sleep(min(failure.retry_after or 1, LONGEST_PAUSE_S))
        self._held.discard(trial.id)
        return answer

    def _learn(self, answer: dict) -> None:
        with _understood():
            self.spec = answer["spec"]
            self.done = answer["done"] and answer["done"]["words"]
            self.winners = [winner_of(raw) for raw in answer["winners"]]


class _understood:
    """Raises INTERNAL for an answer that makes no sense."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, cause: BaseException | None, _: object) -> None:
        if isinstance(cause, (KeyError, TypeError, ValueError, AttributeError)):
            raise fail("INTERNAL", reason="the daemon answered something else than a study") from cause
