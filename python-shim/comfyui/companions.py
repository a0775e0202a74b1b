"""Masks and latents that belong to images, taken apart one by one."""

from __future__ import annotations

#: Entries of a latent that have one row per image.
_PER_IMAGE = ("samples", "noise_mask")


def single_masks(masks: list | None) -> list | None:
    """Masks [1, H, W] of a list of masks [B, H, W] or [H, W]; None when there are none."""
    if not masks:
        return None
    return [row[None] for mask in masks for row in (mask if mask.ndim == 3 else mask[None])]


def single_latents(latents: list | None) -> list | None:
    """Latents of one image each; None when there are none."""
    if not latents:
        return None
    return [_row(latent, i) for latent in latents for i in range(len(latent["samples"]))]


def _row(latent: dict, i: int) -> dict:
    count = len(latent["samples"])
    row = dict(latent)
    for key in _PER_IMAGE:
        value = row.get(key)
        if value is not None and len(value) == count:
            row[key] = value[i : i + 1]
    # Noise of a seed is drawn for the whole batch: the place tells a later sampler which part is this one's.
    places = latent.get("batch_index")
    row["batch_index"] = [places[i] if places and len(places) == count else i]
    return row
