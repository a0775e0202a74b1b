"""What is asked: a conversation with one image in it, in the form of OpenAI's chat."""

from __future__ import annotations

import base64
import binascii
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass

from PIL import Image

ROLES = ("system", "user", "assistant")
MOST_PIXELS = 100_000_000
DATA = re.compile(r"data:image/[\w.+-]+;base64,")


class RequestError(ValueError):
    """A request that cannot be answered; `status` is that of HTTP."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Turn:
    """Words of one side; None stands for the image."""

    role: str
    parts: tuple[str | None, ...]

    @property
    def shows(self) -> bool:
        """Whether the image is in it."""
        return None in self.parts


@dataclass(frozen=True)
class Conversation:
    """Turns of which one shows the image."""

    image: Image.Image
    turns: tuple[Turn, ...]


def read_conversation(messages: object) -> Conversation:
    """From the `messages` of a request. Raises RequestError."""
    if not isinstance(messages, list) or not messages:
        raise RequestError("messages: expected a list of {role, content}")
    images: list[Image.Image] = []
    turns = tuple(_turn(message, f"messages[{i}]", images) for i, message in enumerate(messages))
    if len(images) != 1:
        raise RequestError(f"messages: expected one image (image_url), found {len(images)}")
    if not next(turn for turn in turns if turn.shows).role == "user":
        raise RequestError("messages: the image must be in a message of the user")
    return Conversation(images[0], turns)


def _turn(message: object, place: str, images: list[Image.Image]) -> Turn:
    if not isinstance(message, dict) or message.get("role") not in ROLES:
        raise RequestError(f"{place}.role: expected one of {', '.join(ROLES)}")
    content = message.get("content")
    if isinstance(content, str):
        return Turn(message["role"], (content,))
    if not isinstance(content, list) or not content:
        raise RequestError(f"{place}.content: expected a text, or a list of parts")
    return Turn(message["role"], tuple(_parts(content, place, images)))


def _parts(content: list, place: str, images: list[Image.Image]) -> Iterable[str | None]:
    for i, part in enumerate(content):
        at, kind = f"{place}.content[{i}]", part.get("type") if isinstance(part, dict) else None
        if kind == "text" and isinstance(part.get("text"), str):
            yield part["text"]
        elif kind == "image_url":
            images.append(_image(part.get("image_url"), at))
            yield None
        else:
            raise RequestError(f"{at}: expected type text or image_url, found {kind!r}")


def _image(given: object, place: str) -> Image.Image:
    """From a data URL; no address is ever called, no file read."""
    url = given.get("url") if isinstance(given, dict) else given
    if not isinstance(url, str) or not DATA.match(url):
        raise RequestError(f"{place}.image_url.url: expected data:image/…;base64,…")
    try:
        found = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2], validate=True)))
        if found.width * found.height > MOST_PIXELS:
            raise RequestError(f"{place}: the image has more than {MOST_PIXELS} pixels", 413)
        return found.convert("RGB")
    except (binascii.Error, OSError, Image.DecompressionBombError) as error:
        raise RequestError(f"{place}: no image that can be read: {error}") from None
