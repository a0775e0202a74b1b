"""Which images were chosen, as masks in the layout of the input."""

from __future__ import annotations

from .images import single_images


def selection_masks(batches: list, chosen: set[int]) -> list:
    """One mask [B, H, W] per batch [B, H, W, C] that has images: 1 for the places in `chosen`, 0 for the others."""
    import torch

    masks = []
    first = 0
    for batch in batches:
        singles = single_images(batch)
        if not singles:
            continue
        flags = torch.tensor([float(first + i in chosen) for i in range(len(singles))])
        height, width = (*getattr(singles[0], "shape", ()), 1, 1)[:2]
        masks.append(flags[:, None, None].expand(-1, height, width))  # one number per image, whatever its size
        first += len(singles)
    return masks
