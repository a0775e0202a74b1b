"""A search with any generator, for code that waits: that of asyncio, run in a thread of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from . import runner
from .results import Result
from .studying import AsyncStudy, AsyncTrial
from .trial import Asked, Winner


@dataclass(frozen=True)
class Trial(Asked):
    """One candidate to make, and to tell of."""

    _trial: AsyncTrial

    def tell(
        self,
        images: Any = None,
        *,
        names: Any = None,
        scores: Any = None,
        prompt: str | None = None,
        layout: str | None = None,
    ) -> list[Result]:
        """Tells what was made; see AsyncTrial.tell."""
        return runner.run(self._trial.tell(images, names=names, scores=scores, prompt=prompt, layout=layout))

    def fail(self, reason: object) -> None:
        """There is no image, and why; see AsyncTrial.fail."""
        runner.run(self._trial.fail(reason))


class Study:
    """Iterating gives trials until the study is over; see AsyncStudy. It is begun when it is made."""

    def __init__(self, study: AsyncStudy):
        self._study = study
        runner.run(study.begin())

    @property
    def id(self) -> str:
        return self._study.id

    @property
    def done(self) -> str | None:
        """Why it is over, in words; None while it goes on."""
        return self._study.done

    @property
    def winners(self) -> list[Winner]:
        """The best so far, best first."""
        if self.done is None:
            runner.run(self._study.refresh())
        return self._study.winners

    @property
    def best(self) -> Winner | None:
        winners = self.winners
        return winners[0] if winners else None

    def ask(self, n: int = 1) -> list[Trial]:
        """What to try next; see AsyncStudy.ask."""
        return [_waiting(trial) for trial in runner.run(self._study.ask(n))]

    def __iter__(self) -> Iterator[Trial]:
        while trial := runner.run(self._study.next()):
            yield _waiting(trial)


def _waiting(trial: AsyncTrial) -> Trial:
    own = {name: value for name, value in vars(trial).items() if name != "study"}
    return Trial(**own, _trial=trial)
