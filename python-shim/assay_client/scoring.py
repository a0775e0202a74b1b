"""Scores of a call: its images go a few at a time, and each has one outcome, whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from .link.failures import AssayFailure, fail
from .request import Item
from .results import Ranking, Result, result_of
from .sending import LATER, LONGEST_PAUSE_S, Call, new_key

#: A request is closed when it has so many images or bytes. The first has one image, so that the daemon starts at once,
#: and each further one twice as many.
REQUEST_IMAGES = 16
REQUEST_BYTES = 6 * 2**20

#: Once more helps, perhaps.
_PERHAPS = frozenset(("INFERENCE_FAILED",))
#: Refusals of a whole request that may be the fault of one image.
SHARED = frozenset(("BAD_REQUEST", "BODY_TOO_LARGE", "MALFORMED_BODY", "TOO_MANY_IMAGES"))
#: How often an image is sent again that the daemon itself gave back without a score.
ATTEMPTS = 3


async def score(call: Call, items: list[Item]) -> list[Result]:
    """In order. Raises the first failure when the daemon answered for none of the images."""
    outcomes: dict[int, dict | AssayFailure | None] = dict.fromkeys(range(len(items)))
    sending = [asyncio.ensure_future(_portion(call, items, part, outcomes)) for part in _portions(items)]
    await settled(call, sending)
    ends = [call.late() if outcome is None else outcome for outcome in outcomes.values()]
    raise_if_none(ends)
    return [_result(item, end) for item, end in zip(items, ends)]


async def rank(call: Call, items: list[Item]) -> Ranking:
    """Raises AssayFailure: a ranking of some would mislead."""
    messages = await asyncio.to_thread(lambda: [item.message() for item in items])
    answer = await call.ask("rank", messages, new_key())
    results = [_result(item, raw) for item, raw in zip(items, answer["results"])]
    order, best = answer.get("order"), answer.get("best")
    places = list(range(len(items)))
    if not isinstance(order, list) or not all(type(at) is int for at in order) or sorted(order) != places:
        raise fail("INTERNAL", reason="the daemon answered with an order that is none")
    if best is not None and best != order[0]:
        raise fail("INTERNAL", reason="the daemon answered with another best image than the first of its order")
    return Ranking(results, order, order[0] if best is not None else None)


async def settled(call: Call, sending: Sequence[asyncio.Future]) -> None:
    """Waits for all, but no longer than the call may take. Waiting for a place counts: others may hold them all."""
    try:
        await asyncio.wait(sending, timeout=call.timeout)
    finally:
        for task in sending:
            task.cancel()


def raise_if_none(ends: Sequence[object]) -> None:
    """Raises the first failure when all are failures."""
    failures = [end for end in ends if isinstance(end, AssayFailure)]
    if failures and len(failures) == len(ends):
        raise failures[0]


async def _portion(call: Call, items: list[Item], part: list[int], outcomes: dict) -> None:
    """Fills in the outcomes of a part: a raw result, or a failure. Raises nothing but the cancelling."""
    try:
        async with call.gate.places:
            rest = await asyncio.to_thread(_load, items, part, outcomes)
            for attempt in range(ATTEMPTS):
                again = await _ask(call, rest, outcomes)
                if not again or attempt == ATTEMPTS - 1:
                    return
                rest = {at: rest[at] for at in again}
                await pause(attempt)
    except AssayFailure as failure:
        call.give_up_on(failure)
        for at in part:
            outcomes[at] = outcomes[at] or failure
    except Exception as thrown:
        for at in part:
            outcomes[at] = outcomes[at] or fail("INTERNAL", reason=repr(thrown))


async def pause(attempt: int) -> None:
    await asyncio.sleep(min(LONGEST_PAUSE_S, 0.25 * 2**attempt))


async def _ask(call: Call, messages: dict[int, dict], outcomes: dict) -> list[int]:
    """Keeps the results; those that are worth to be asked for again are returned."""
    if not messages:
        return []
    try:
        answer = await call.ask("score", list(messages.values()), new_key())
    except AssayFailure as failure:
        if failure.code not in SHARED or len(messages) == 1:
            raise
        # One image must not cost the others their scores.
        return [again for at in messages for again in await _alone(call, at, messages[at], outcomes)]
    outcomes.update(zip(messages, answer["results"]))
    return [at for at, raw in zip(messages, answer["results"]) if is_for_now(raw)]


async def _alone(call: Call, at: int, message: dict, outcomes: dict) -> list[int]:
    try:
        return await _ask(call, {at: message}, outcomes)
    except AssayFailure as failure:
        if failure.code not in SHARED:
            raise
        outcomes[at] = failure
        return []


def is_for_now(raw: dict) -> bool:
    """Whether a result failed in a way that may have passed by now."""
    error = raw.get("error")
    return isinstance(error, dict) and error.get("code") in LATER | _PERHAPS


def loaded(item: Item) -> dict | AssayFailure:
    """The message of an image, or why it cannot be made."""
    try:
        return item.message()
    except AssayFailure as failure:
        return failure
    except Exception as thrown:
        return fail("INTERNAL", reason=repr(thrown))


def _load(items: list[Item], part: list[int], outcomes: dict) -> dict[int, dict]:
    """The messages of a part by index; those that cannot be made are outcomes."""
    messages = {}
    for at in part:
        made = loaded(items[at])
        if isinstance(made, AssayFailure):
            outcomes[at] = made
        else:
            messages[at] = made
    return messages


def _result(item: Item, outcome: dict | AssayFailure) -> Result:
    notes = item.picture.notes
    if isinstance(outcome, AssayFailure):
        return Result(id=item.id, group=item.group, source=item.picture.source, notes=tuple(notes), error=outcome)
    return sensible(
        lambda: result_of(outcome, item.id, item.group, notes),
        lambda failure: Result(id=item.id, group=item.group, error=failure),
    )


def sensible(read, failed):
    """What is read of an answer of the daemon, or what stands for an answer that makes no sense."""
    try:
        return read()
    except (KeyError, TypeError, ValueError, AttributeError) as cause:
        return failed(fail("INTERNAL", reason=f"a result of the daemon makes no sense: {cause!r}"))


def _portions(items: list[Item]) -> Iterator[list[int]]:
    """Indexes of the images of each request."""
    part: list[int] = []
    size, most = 0, 1
    for at, item in enumerate(items):
        more = item.picture.size
        if part and (len(part) >= most or size + more > REQUEST_BYTES):
            yield part
            part, size, most = [], 0, min(2 * most, REQUEST_IMAGES)
        part.append(at)
        size += more
    if part:
        yield part
