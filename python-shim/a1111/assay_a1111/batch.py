"""The lists of a job that have one entry for each image of a batch: shortened together, and made whole for the next."""

from __future__ import annotations

#: What the host itself cuts out of its long lists for each batch.
_OWN = ("prompts", "negative_prompts", "seeds", "subseeds")
#: What it reads by the place in the batch, and keeps for all batches.
_BY_PLACE = ("overlay_images", "color_corrections")
#: What it reads by the place in the batch, though they go on over all batches.
_BY_IMAGE = ("all_hr_prompts", "all_hr_negative_prompts")


class Lists:
    """Those of a job `p`."""

    def __init__(self, p):
        self._p = p
        self._whole: dict[str, list] = {}

    def is_in_step(self, count: int) -> bool:
        """Whether each image has its entry; another script may have changed their number."""
        return all(len(getattr(self._p, name, None) or ()) == count for name in _OWN)

    def cut(self, staying: list[int], count: int, batch: int) -> None:
        """Leaves the entries of the images that stay, by their places among the `count` of batch number `batch`."""
        p = self._p
        for name in _OWN:
            values = getattr(p, name)
            setattr(p, name, [values[place] for place in staying])
        first = batch * p.batch_size
        for name, offset in [*((name, 0) for name in _BY_PLACE), *((name, first) for name in _BY_IMAGE)]:
            values = getattr(p, name, None)
            if isinstance(values, list) and len(values) >= offset + count:
                self._whole[name] = values
                setattr(p, name, [values[offset + place] for place in staying])

    def restore(self) -> None:
        for name, values in self._whole.items():
            setattr(self._p, name, values)
        self._whole.clear()
