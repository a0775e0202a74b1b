"""How many batches of how many images a search makes at most, with seeds as the host counts them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """`images` may be fewer than fit into the batches: the last one is smaller then."""

    batch: int
    batches: int
    images: int


def planned(batch: int, batches: int, at_most: int, whole: bool) -> Plan:
    """`at_most` 0: what the job asks for. `whole`: all batches must be of one size, as with images to begin from."""
    if not at_most:
        return Plan(batch, batches, batch * batches)
    batch = min(batch, at_most)
    count = at_most // batch if whole else -(-at_most // batch)
    return Plan(batch, count, count * batch if whole else at_most)
