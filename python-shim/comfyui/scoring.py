"""Scores images through the daemon: a few at a time, several requests under way, one verdict per image."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import Future

from .answer import results_of
from .failures import AssayFailure, fail
from .images import raw_bytes, raw_image
from .line import Lost
from .waiting import check_interrupted, daemon, first_done, submit
from .wire import pack

#: A request is closed when it has so many images or bytes. The first has one image, so that the daemon starts at once,
#: and each further one twice as many: what is sent too early takes time from the first inference.
REQUEST_IMAGES = 8
REQUEST_BYTES = 8 * 2**20
#: Requests under way: enough that the daemon never waits for one.
IN_FLIGHT = 3
ANSWER_S = 125.0
#: How long a full daemon is asked again.
PATIENCE_S = 60.0
_LONGEST_PAUSE_S = 2.0
#: Failures that the other images would meet, too: they are not sent.
HOPELESS = frozenset(
    (
        *("DAEMON_UNREACHABLE", "DAEMON_UNKNOWN", "UNAUTHORIZED", "HOST_REFUSED", "UNKNOWN_SCORER", "DEADLINE"),
        *("CONFIG_INVALID", "TOKEN_UNREADABLE"),
    )
)

#: Refusals of a whole request that may be the fault of one image.
SHARED = frozenset(("BAD_REQUEST", "BODY_TOO_LARGE", "MALFORMED_BODY"))

_ids = itertools.count(1)


def failed(failure: AssayFailure) -> dict:
    """The verdict on an image that has no score."""
    return {"error": {"code": failure.code, "message": failure.message, "fix": failure.fix}}


def score_images(
    images: list,
    prompts: list[str],
    fields: dict | None = None,
    on_progress: Callable[[int], None] = lambda _done: None,
) -> list[dict]:
    """One verdict per image [H, W, C], in order: a ScoreResult of the daemon, or only `error` {code, message, fix}.

    `prompts` has one text per image, blank for none. `fields` go along with each request: scorer, policy, and the
    workflow where the prompt of the others is looked for. Raises nothing but ComfyUI's interrupt, after telling the
    daemon.
    """
    given = {key: value for key, value in (fields or {}).items() if value}
    run = _Run(images, prompts, {"op": "score", **given}, on_progress)
    try:
        return run.verdicts()
    finally:
        run.abandon()


class _Run:
    def __init__(self, images: list, prompts: list[str], fields: dict, on_progress: Callable[[int], None]):
        self._images = images
        self._prompts = prompts
        self._fields = fields
        self._on_progress = on_progress
        self._verdicts: list[dict | None] = [None] * len(images)
        self._notes: dict[int, list[str]] = {}
        self._pending: dict[Future, list[int]] = {}
        self._again: list[int] = []
        self._is_alone = False
        self._gone: AssayFailure | None = None

    def verdicts(self) -> list[dict]:
        for indexes in _portions(self._images):
            while len(self._pending) >= IN_FLIGHT:
                self._collect()
            self._send(indexes)
        self._drain()
        # One image must not cost the others their scores: what was refused in company is sent again alone.
        again, self._again = self._again, []
        self._is_alone = True
        for index in again:
            self._send([index])
            self._drain()
        return self._verdicts

    def _drain(self) -> None:
        while self._pending:
            self._collect()

    def abandon(self) -> None:
        for future in self._pending:
            future.cancel()

    def _send(self, indexes: list[int]) -> None:
        check_interrupted()
        if self._gone:
            return self._fail(indexes, self._gone)
        items = {index: item for index in indexes if (item := self._item(index))}
        if items:
            self._submit(items)
        return None

    def _item(self, index: int) -> dict | None:
        """What is sent of an image; None for one that has failed by itself."""
        try:
            raw, self._notes[index] = raw_image(self._images[index])
        except Exception as thrown:
            self._fail([index], _failure(thrown))
            return None
        text = self._prompts[index]
        # None would say that there is none, and then none is looked for.
        return {"image": raw, "prompt": text} if text.strip() else {"image": raw}

    def _submit(self, items: dict[int, dict]) -> None:
        message_id = next(_ids)
        size = sum(len(item["image"]["data"]) for item in items.values())
        try:
            frame = pack({"id": message_id, **self._fields, "items": list(items.values())}, size)
        except AssayFailure as failure:
            self._gone = failure
            return self._fail(list(items), failure)
        self._pending[submit(_ask(message_id, frame))] = list(items)
        return None

    def _collect(self) -> None:
        for future in first_done(self._pending):
            indexes = self._pending.pop(future)
            try:
                results = results_of(future.result(), len(indexes))
            except Exception as thrown:
                self._refuse(indexes, _failure(thrown))
            else:
                self._keep(indexes, results)

    def _refuse(self, indexes: list[int], failure: AssayFailure) -> None:
        was_lost = isinstance(failure, Lost)
        if not self._is_alone and (was_lost or failure.code in SHARED):
            self._again.extend(indexes)
            return
        if failure.code in HOPELESS and not was_lost:
            self._gone = failure
        self._fail(indexes, failure)

    def _keep(self, indexes: list[int], results: list[dict]) -> None:
        for index, result in zip(indexes, results):
            notes = [*(result.get("notes") or []), *self._notes.get(index, [])]
            self._verdicts[index] = {**result, "notes": notes}
        self._on_progress(len(indexes))

    def _fail(self, indexes: list[int], failure: AssayFailure) -> None:
        for index in indexes:
            self._verdicts[index] = failed(failure)
        self._on_progress(len(indexes))


def _failure(thrown: Exception) -> AssayFailure:
    return thrown if isinstance(thrown, AssayFailure) else fail("INTERNAL", reason=repr(thrown))


def _portions(images: list) -> Iterator[list[int]]:
    """Indexes of the images of each request."""
    portion: list[int] = []
    size = 0
    most = 1
    for index, image in enumerate(images):
        bytes_ = raw_bytes(image)
        if portion and (len(portion) >= most or size + bytes_ > REQUEST_BYTES):
            yield portion
            portion, size, most = [], 0, min(2 * most, REQUEST_IMAGES)
        portion.append(index)
        size += bytes_
    if portion:
        yield portion


async def _ask(message_id: int, frame: bytes) -> dict:
    """Asks again while the daemon is full, and once when the connection breaks."""
    clock = asyncio.get_running_loop().time
    patient_until = clock() + PATIENCE_S
    may_reopen = True
    while True:
        try:
            return await daemon().ask(message_id, frame, ANSWER_S)
        except Lost:
            if not may_reopen:
                raise
            may_reopen = False
        except AssayFailure as failure:
            if failure.code != "BUSY" or clock() >= patient_until:
                raise
            await asyncio.sleep(min(failure.retry_after or 1.0, _LONGEST_PAUSE_S))
