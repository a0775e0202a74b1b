"""What a node that takes whole lists is given: images one by one, and with each what belongs to it."""

from __future__ import annotations

from dataclasses import dataclass

from .companions import single_latents, single_masks
from .images import grouped_images


@dataclass
class Pictures:
    """The images [H, W, C] of a list of batches; the other lists have one entry for each of them."""

    batches: list
    #: Places of the images of each batch.
    groups: list[list[int]]
    images: list
    prompts: list[str]
    masks: list | None
    latents: list | None
    #: What is connected and brings nothing for any image, e.g. "masks".
    missing: list[str]

    def singles(self) -> list:
        """The images as batches of one; what is no image stays what it is."""
        return [image[None] if getattr(image, "ndim", 0) == 3 else image for image in self.images]

    def left_out(self) -> str:
        """Words for entries of the list that held no image, and for inputs that held nothing; mostly empty."""
        empty = sum(not group for group in self.groups)
        said = [f"{empty} empty {'entry' if empty == 1 else 'entries'} left out"] if empty else []
        said += [f"no {what} came, and what takes them from here does not run" for what in self.missing]
        return f" ({'; '.join(said)})" if said else ""


def pictures(batches: list, prompts, masks=None, latents=None) -> Pictures:
    """Raises ValueError when prompts, masks or latents are neither one for each image nor one for all."""
    groups = grouped_images(batches)
    images = [image for group in groups for image in group]
    numbers = iter(range(len(images)))
    mask_rows, latent_rows = single_masks(masks), single_latents(latents)
    brought = (("masks", masks, mask_rows), ("latents", latents, latent_rows))
    return Pictures(
        batches,
        [[next(numbers) for _ in group] for group in groups],
        images,
        _texts(prompts, groups),
        _along(mask_rows, len(images), "masks"),
        _along(latent_rows, len(images), "latents"),
        [what for what, connected, rows in brought if images and connected is not None and not rows],
    )


def one(values, name: str, node: str):
    """The value of a widget. Raises ValueError when a link brings several that differ."""
    if any(value != values[0] for value in values[1:]):
        raise ValueError(f"{node}: {name} takes one value for all images, not a list of {len(values)}")
    return values[0] if values else None


def spread(values: list, count: int, what: str) -> list:
    """One value per image: as many as there are, or one for all. Raises ValueError for another number."""
    if len(values) == count:
        return list(values)
    if len(values) == 1:
        return list(values) * count
    raise ValueError(
        f"Assay: {count} images, but {len(values)} {what}; give one for each image or one for all. "
        f"Behind an Assay Gate, take the {what} from the gate, too"
    )


def _along(things: list | None, count: int, what: str) -> list | None:
    return spread(things, count, what) if things and count else None


def _texts(prompts, groups: list[list]) -> list[str]:
    """A list of batches may come with one prompt per batch."""
    count = sum(map(len, groups))
    texts = [text if isinstance(text, str) else "" for text in prompts or [""]]
    if len(texts) == len(groups) != count:
        return [text for text, group in zip(texts, groups) for _ in group]
    return spread(texts, count, "prompts") if count else []
