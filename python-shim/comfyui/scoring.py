"""Scores images through the daemon: a few at a time, several requests under way, one verdict per image."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import Future

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
    ("DAEMON_UNREACHABLE", "DAEMON_UNKNOWN", "UNAUTHORIZED", "HOST_REFUSED", "UNKNOWN_SCORER", "DEADLINE")
)

_ids = itertools.count(1)


def failed(failure: AssayFailure) -> dict:
    """The verdict on an image that has no score."""
    return {"error": {"code": failure.code, "message": failure.message, "fix": failure.fix}}


def score_images(
    images: list,
    prompts: list[str],
    scorer: str = "",
    policy: dict | None = None,
    on_progress: Callable[[int], None] = lambda _done: None,
) -> list[dict]:
    """One verdict per image [H, W, C], in order: a ScoreResult of the daemon, or only `error` {code, message, fix}.

    `prompts` has one text per image, empty for none. Raises nothing but ComfyUI's interrupt, after telling the daemon.
    """
    fields = {"op": "score", **({"scorer": scorer} if scorer else {}), **({"policy": policy} if policy else {})}
    run = _Run(images, prompts, fields, on_progress)
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
        self._pending: dict[Future, list[int]] = {}
        self._gone: AssayFailure | None = None

    def verdicts(self) -> list[dict]:
        for indexes in _portions(self._images):
            while len(self._pending) >= IN_FLIGHT:
                self._collect()
            self._send(indexes)
        while self._pending:
            self._collect()
        return self._verdicts

    def abandon(self) -> None:
        for future in self._pending:
            future.cancel()

    def _send(self, indexes: list[int]) -> None:
        check_interrupted()
        if self._gone:
            return self._fail(indexes, self._gone)
        items, sent = [], []
        for index in indexes:
            try:
                raw = raw_image(self._images[index])
            except AssayFailure as failure:
                self._fail([index], failure)
                continue
            items.append({"image": raw, "prompt": self._prompts[index] or None})
            sent.append(index)
        if sent:
            self._submit(sent, items)
        return None

    def _submit(self, indexes: list[int], items: list[dict]) -> None:
        message_id = next(_ids)
        size = sum(len(item["image"]["data"]) for item in items)
        try:
            frame = pack({"id": message_id, **self._fields, "items": items}, size)
        except AssayFailure as failure:
            self._gone = failure
            return self._fail(indexes, failure)
        self._pending[submit(_ask(message_id, frame))] = indexes
        return None

    def _collect(self) -> None:
        for future in first_done(self._pending):
            indexes = self._pending.pop(future)
            try:
                results = _results(future.result(), len(indexes))
            except Exception as thrown:
                failure = thrown if isinstance(thrown, AssayFailure) else fail("INTERNAL", reason=repr(thrown))
                if failure.code in HOPELESS:
                    self._gone = failure
                self._fail(indexes, failure)
            else:
                self._keep(indexes, results)

    def _keep(self, indexes: list[int], results: list[dict]) -> None:
        for index, result in zip(indexes, results):
            self._verdicts[index] = result
        self._on_progress(len(indexes))

    def _fail(self, indexes: list[int], failure: AssayFailure) -> None:
        for index in indexes:
            self._verdicts[index] = failed(failure)
        self._on_progress(len(indexes))


def _results(answer: dict, count: int) -> list[dict]:
    """The results of an answer; one that makes no sense is a failure, never a verdict. Raises INTERNAL."""
    results = answer.get("results")
    if not isinstance(results, list) or len(results) != count or not all(map(_makes_sense, results)):
        raise fail("INTERNAL", reason="the daemon answered something else than one result for each image")
    return results


def _makes_sense(result: object) -> bool:
    if not isinstance(result, dict):
        return False
    return isinstance(result.get("error"), dict) or result.get("decision") in ("accept", "reject", "unsure")


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
