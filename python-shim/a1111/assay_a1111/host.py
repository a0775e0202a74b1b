"""The host as a job sees it."""

from __future__ import annotations

from collections.abc import Callable


class Interrupted(Exception):
    """The user has interrupted the job, or skipped this batch, while it was judged."""


class Host:
    """What a job needs of its host: `state` with the user's wishes, how it words an image, and where it is."""

    def __init__(self, state, infotext: Callable[..., str], address: str):
        self.state = state
        self.infotext = infotext
        self.address = address

    @property
    def counts_jobs(self) -> bool:
        """Whether somebody has said already how many batches there will be; else the host says so when it begins, and
        SD.Next counts batches by themselves."""
        return self.state.job_count > 0 and not hasattr(self.state, "batch_count")

    def was_interrupted(self) -> bool:
        return bool(self.state.interrupted or self.state.skipped)

    def check(self) -> None:
        if self.was_interrupted():
            raise Interrupted
