"""What one call asks: its images with their prompts, ids and groups, checked before anything is sent."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from .images import Picture, pictures_of
from .link.failures import AssayFailure, fail

#: The daemon takes no longer ids.
_MOST_ID = 256


@dataclass
class Item:
    picture: Picture
    id: str
    group: Hashable
    fields: dict

    def message(self) -> dict:
        """Raises AssayFailure for a fault of this image alone."""
        return self.message_of(self.picture.load())

    def message_of(self, image: Any) -> dict:
        source = {"source": self.picture.source} if self.picture.source else {}
        return {"id": self.id, **source, **self.fields, "image": image}


def items_of(images: Any, prompts: Any, ids: Any, groups: Any, layout: str | None) -> list[Item]:
    """Raises BAD_REQUEST naming the argument, IMAGE_SHAPE, IMAGE_VALUES."""
    pictures = pictures_of(images, layout)
    count = len(pictures)
    return [
        Item(picture, id, group, fields)
        for picture, id, group, fields in zip(
            pictures, _ids(ids, count), _groups(groups, count), _prompts(prompts, count), strict=True
        )
    ]


def _bad(reason: str) -> AssayFailure:
    return fail("BAD_REQUEST", reason=reason)


def _listed(name: str, values: Any, count: int) -> list:
    """One for each image. An array of NumPy is a list here, as trainers cut their prompts into such; a tensor, too: its
    own elements are equal to nothing but themselves."""
    try:
        listed = list(values.tolist() if hasattr(values, "tolist") else values)
    except TypeError:
        raise _bad(f"{name} is a {type(values).__name__}; expected one for each image") from None
    if len(listed) != count:
        raise _bad(f"{len(listed)} {name} for {count} images")
    return listed


def _prompts(prompts: Any, count: int) -> list[dict]:
    """None for all: the daemon looks for it in the file. A single text is that of all images."""
    if prompts is None:
        return [{}] * count
    listed = [prompts] * count if isinstance(prompts, str) else _listed("prompts", prompts, count)
    for at, text in enumerate(listed):
        if text is not None and not isinstance(text, str):
            raise _bad(f"prompts[{at}] is a {type(text).__name__}; expected text or None")
    return [{"prompt": text if text is None else str(text)} for text in listed]


def _ids(ids: Any, count: int) -> list[str]:
    if ids is None:
        return [str(at) for at in range(count)]
    listed = [str(id) for id in _listed("ids", [ids] if isinstance(ids, (str, int)) else ids, count)]
    seen: set[str] = set()
    for at, id in enumerate(listed):
        if not 0 < len(id) <= _MOST_ID:
            raise _bad(f"ids[{at}] has {len(id)} characters; expected 1 to {_MOST_ID}")
        if id in seen:
            raise _bad(f'ids[{at}] is "{id}", as one before it is')
        seen.add(id)
    return listed


def _groups(groups: Any, count: int) -> Sequence[Hashable]:
    if groups is None or isinstance(groups, (str, int)):
        return [groups] * count
    listed = _listed("groups", groups, count)
    for at, group in enumerate(listed):
        if not isinstance(group, Hashable):
            raise _bad(f"groups[{at}] is a {type(group).__name__}; expected text, a number or a tuple")
    return listed
