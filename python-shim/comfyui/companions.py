"""Masks and latents that belong to images: taken apart one by one, and put together again."""

from __future__ import annotations

#: Entries of a latent that have one row per image.
_PER_IMAGE = ("samples", "noise_mask")


def single_masks(masks: list | None) -> list | None:
    """Masks [1, H, W] of a list of masks [..., H, W]; None when there are none. Raises ValueError for other things."""
    rows = []
    for mask in masks or []:
        if mask is None:
            continue
        if getattr(mask, "ndim", 0) < 2:
            raise _no_such("mask", mask)
        if 0 not in mask.shape:  # a detector that found nothing gives masks without a row, or without a pixel
            rows += mask.reshape(-1, 1, *mask.shape[-2:])
    return rows or None


def single_latents(latents: list | None) -> list | None:
    """Latents of one image each; None when there are none. Raises ValueError for something else."""
    rows = []
    for latent in latents or []:
        if latent is None:
            continue
        if not isinstance(latent, dict) or not hasattr(latent.get("samples"), "__len__"):
            raise _no_such("latent", latent)
        rows += [_row(latent, i) for i in range(len(latent["samples"]))]
    return rows or None


def joined(things: list):
    """One batch of single images, masks or latents of the same layout."""
    import torch

    first = things[0]
    if len(things) == 1:
        return first
    if not isinstance(first, dict):
        return torch.cat(things)
    parts = {key: torch.cat([t[key] for t in things]) for key in _PER_IMAGE if first.get(key) is not None}
    return {**first, **parts, "batch_index": [place for t in things for place in t["batch_index"]]}


def layout(thing) -> object:
    """Equal for things that can be joined; what is no tensor has one of its own."""
    if isinstance(thing, dict):
        return tuple((key, layout(thing.get(key))) for key in _PER_IMAGE)
    return (tuple(thing.shape), thing.dtype, thing.device) if hasattr(thing, "shape") else id(thing)


def _no_such(what: str, found) -> ValueError:
    described = f"a tensor {list(found.shape)}" if hasattr(found, "shape") else f"a {type(found).__name__}"
    return ValueError(f"Assay: no {what}: {described} came where a {what} belongs")


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
