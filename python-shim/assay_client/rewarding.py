"""Rewards of a call: a group goes in one request, since its images are compared with each other in the daemon."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from .link.failures import AssayFailure, fail
from .request import Item
from .results import scorer_of
from .reward_results import MissingReward, RewardGroup, RewardItem, RewardResult, group_of, reward_of
from .scoring import ATTEMPTS, REQUEST_BYTES, REQUEST_IMAGES, SHARED, is_for_now, loaded, pause, raise_if_none, settled
from .sending import Call, new_key

#: Characters of the name of a group.
_MOST_NAME = 256


@dataclass(frozen=True)
class _Answer:
    """What came of some images: the daemon's answer to them, or why there is none."""

    places: list[int]
    end: dict | AssayFailure
    #: Images that were sent without their pixels, and why.
    faults: Mapping[int, AssayFailure] = field(default_factory=dict)


async def rewards(call: Call, items: list[Item]) -> RewardResult:
    """Raises the first failure when the daemon answered for none of the images."""
    names = _names(items)
    parts = list(_parts(items))
    done: dict[int, list[_Answer]] = {}

    async def one(at: int) -> None:
        done[at] = await _part(call, items, names, parts[at])

    await settled(call, [asyncio.ensure_future(one(at)) for at in range(len(parts))])
    answers = [
        answer for at, part in enumerate(parts) for answer in done.get(at) or [_Answer(_flat(part), call.late())]
    ]
    raise_if_none([answer.faults.get(place, answer.end) for answer in answers for place in answer.places])
    try:
        return _together(items, names, answers)
    except (KeyError, TypeError, ValueError, AttributeError) as cause:
        raise fail("INTERNAL", reason=f"an answer of the daemon makes no sense: {cause!r}") from cause


async def _part(call: Call, items: list[Item], names: Mapping[Hashable, str], part: list[list[int]]) -> list[_Answer]:
    """The answers to some groups. Raises nothing but the cancelling."""
    try:
        async with call.gate.places:
            made = await asyncio.to_thread(lambda: {at: loaded(items[at]) for at in _flat(part)})
            faults = {at: one for at, one in made.items() if isinstance(one, AssayFailure)}
            # The daemon, too, shall see that the image is missing in its group: that is for the profile to judge.
            messages = {at: items[at].message_of(b"") if at in faults else one for at, one in made.items()}
            for at, message in messages.items():
                if items[at].group is not None:
                    message["group"] = names[items[at].group]
            return await _ask(call, messages, faults, part)
    except AssayFailure as failure:
        call.give_up_on(failure)
        return [_Answer(_flat(part), failure)]
    except Exception as thrown:
        return [_Answer(_flat(part), fail("INTERNAL", reason=repr(thrown)))]


async def _ask(
    call: Call, messages: Mapping[int, dict], faults: Mapping[int, AssayFailure], part: list[list[int]]
) -> list[_Answer]:
    """Asks for what failed for a while once more, with the same key: what stands is not scored again."""
    places, key = _flat(part), new_key()
    try:
        for attempt in range(ATTEMPTS):
            answer = await call.ask("rewards", [messages[at] for at in places], key)
            if attempt == ATTEMPTS - 1 or not any(map(is_for_now, answer["results"])):
                break
            await pause(attempt)
        return [_Answer(places, answer, {at: faults[at] for at in places if at in faults})]
    except AssayFailure as failure:
        if failure.code not in SHARED:
            raise
        if len(part) == 1:
            return [_Answer(places, failure)]
        # One group must not cost the others their rewards.
        return [answer for group in part for answer in await _ask(call, messages, faults, [group])]


def _together(items: list[Item], names: Mapping[Hashable, str], answers: Sequence[_Answer]) -> RewardResult:
    groups_by_name: dict[str | None, Hashable] = {name: group for group, name in names.items()}
    good = [answer.end for answer in answers if isinstance(answer.end, dict)]
    made = {at: item for answer in answers for at, item in _made(items, answer)}
    figures: dict[Hashable, RewardGroup] = {}
    for end in good:
        for raw in end["groups"]:
            group = groups_by_name.get(raw["group"])
            figures[group] = group_of(raw, group)
    counts: dict[Hashable, int] = {}
    for item in items:
        counts[item.group] = counts.get(item.group, 0) + 1
    return RewardResult(
        items=tuple(made[at] for at in range(len(items))),
        groups=tuple(figures.get(group) or RewardGroup(group, count, used=0) for group, count in counts.items()),
        profile=good[0]["profile"],
        scorers=tuple(dict.fromkeys(scorer_of(raw) for end in good for raw in end["scorers"])),
    )


def _made(items: list[Item], answer: _Answer) -> Iterator[tuple[int, RewardItem]]:
    for row, at in enumerate(answer.places):
        id, group, picture = items[at].id, items[at].group, items[at].picture
        if isinstance(answer.end, AssayFailure):
            made = RewardItem(id, group, source=picture.source, notes=tuple(picture.notes))
            yield at, _failed(made, answer.end)
        else:
            made = reward_of(answer.end["results"][row], id, group, picture.notes)
            yield at, _failed(made, answer.faults[at]) if at in answer.faults else made


def _failed(item: RewardItem, failure: AssayFailure) -> RewardItem:
    applied = item.missing.applied if item.missing else "leave-out"
    missing = MissingReward("failed", f"{failure.code}: {failure.message}", applied)
    return replace(item, missing=missing, error=failure)


def _flat(part: list[list[int]]) -> list[int]:
    return [at for group in part for at in group]


def _parts(items: list[Item]) -> Iterator[list[list[int]]]:
    """The groups of each request, as indexes of their images: small groups together, none apart."""
    groups: dict[Hashable, list[int]] = {}
    for at, item in enumerate(items):
        groups.setdefault(item.group, []).append(at)
    part: list[list[int]] = []
    count, size = 0, 0
    for group in groups.values():
        more = sum(items[at].picture.size for at in group)
        if part and (count + len(group) > REQUEST_IMAGES or size + more > REQUEST_BYTES):
            yield part
            part, count, size = [], 0, 0
        part.append(group)
        count, size = count + len(group), size + more
    if part:
        yield part


def _names(items: list[Item]) -> dict[Hashable, str]:
    """What each group is called on the wire: its own text where that fits, so that the history can be read."""
    names: dict[Hashable, str] = {}
    for item in items:
        if item.group is not None and item.group not in names:
            text = str(item.group)
            fits = 0 < len(text) <= _MOST_NAME and text not in names.values()
            names[item.group] = text if fits else f"{text[:200]}#{len(names)}"
    return names
