"""The images that leave by an output, and what belongs to them, in the form that the workflow behind it needs."""

from __future__ import annotations

from .arrangement import BATCHES, PLACES, SINGLES
from .blocking import or_blocked
from .companions import joined, layout
from .inputs import Pictures


def given_out(given: Pictures, chosen: list[int], prompts: list[str], form: str = SINGLES) -> tuple[list, ...]:
    """Images, masks, latents, prompts and indexes of the images at the chosen places: a list each, in that order.

    What is not there blocks what is connected to it: a list must not be empty, or the host cannot take it apart.
    """
    shaped = [given.singles(), given.masks or [], given.latents or []]
    figures = [prompts, list(range(len(given.images)))]
    kept = set(chosen)
    if form == BATCHES:
        rows = [row for group in given.groups if (row := [place for place in group if place in kept])]
        if all(_alike(column, row) for column in shaped for row in rows):
            whole = {tuple(group): batch for group, batch in zip(given.groups, given.batches) if _is_batch(batch)}
            images = [whole[key] if (key := tuple(row)) in whole else _batch(shaped[0], row) for row in rows]
            others = [[_batch(column, row) for row in rows] if column else [] for column in shaped[1:]]
            return tuple(map(or_blocked, [images, *others, *_picked(figures, chosen, kept)]))
    places = list(range(len(given.images))) if form == PLACES else chosen
    return tuple(map(or_blocked, _picked([*shaped, *figures], places, kept)))


def _picked(columns: list[list], places: list[int], kept: set[int]) -> list[list]:
    return [[column[p] if p in kept else None for p in places] if column else [] for column in columns]


def _is_batch(thing) -> bool:
    return getattr(thing, "ndim", 0) > 3


def _alike(column: list, row: list[int]) -> bool:
    return not column or len({layout(column[place]) for place in row}) == 1


def _batch(column: list, row: list[int]):
    return joined([column[place] for place in row])
