"""Neighbours of an image: its seed, with a part of other noise, as the host itself makes variations."""

from __future__ import annotations


def vary(p, seed: int, strength: float) -> None:
    """Lets the batch that is about to be made vary an image. The seeds of the other noise are those of the job."""
    first = p.iteration * p.batch_size
    p.seeds[:] = [seed] * len(p.seeds)
    p.all_seeds[first : first + len(p.seeds)] = p.seeds
    set_strength(p, strength)


def set_strength(p, strength: float) -> None:
    """Newer hosts have drawn the noise's generators already; they are made anew."""
    p.subseed_strength = strength
    drawn = getattr(p, "rng", None)
    if drawn is None:
        return
    p.rng = type(drawn)(
        drawn.shape,
        p.seeds,
        subseeds=p.subseeds,
        subseed_strength=strength,
        seed_resize_from_h=p.seed_resize_from_h,
        seed_resize_from_w=p.seed_resize_from_w,
    )
