"""What is asked: a conversation with one image in it, in the form of OpenAI's chat."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError

ROLES = ("system", "user", "assistant")
MOST_PIXELS = 100_000_000
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")  # of Pillow; some of the others start programs
DATA = re.compile(r"data:image/[\w.+-]+;base64,")
ADDRESS = re.compile(r"\s*<[\w.]+ object at 0x[0-9a-f]+>| at 0x[0-9a-f]+")


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
    images: list[tuple[object, str]] = []
    turns = tuple(_turn(message, f"messages[{i}]", images) for i, message in enumerate(messages))
    if len(images) != 1:
        raise RequestError(f"messages: expected one image (image_url), found {len(images)}")
    if not next(turn for turn in turns if turn.shows).role == "user":
        raise RequestError("messages: the image must be in a message of the user")
    return Conversation(_image(*images[0]), turns)


def said(error: Exception) -> str:
    """What an error says, without the places of objects in memory."""
    return ADDRESS.sub("", str(error)) or type(error).__name__


def _turn(message: object, place: str, images: list[tuple[object, str]]) -> Turn:
    """What is given as images is added to `images`, with its place, and not yet decoded."""
    if not isinstance(message, dict) or message.get("role") not in ROLES:
        raise RequestError(f"{place}.role: expected one of {', '.join(ROLES)}")
    content = message.get("content")
    if isinstance(content, str):
        return Turn(message["role"], (_text(content, f"{place}.content"),))
    if not isinstance(content, list) or not content:
        raise RequestError(f"{place}.content: expected a text, or a list of parts")
    return Turn(message["role"], tuple(_parts(content, place, images)))


def _parts(content: list, place: str, images: list[tuple[object, str]]) -> Iterable[str | None]:
    for i, part in enumerate(content):
        at, kind = f"{place}.content[{i}]", part.get("type") if isinstance(part, dict) else None
        if kind == "text" and isinstance(part.get("text"), str):
            yield _text(part["text"], f"{at}.text")
        elif kind == "image_url":
            images.append((part.get("image_url"), at))
            yield None
        else:
            raise RequestError(f"{at}: expected type text or image_url, found {kind!r}")


def _text(given: str, place: str) -> str:
    try:
        given.encode()
    except UnicodeEncodeError:  # halves of characters, which tokenizers stumble over
        raise RequestError(f"{place}: expected Unicode, found half a character (a lone surrogate)") from None
    return given


def _image(given: object, place: str) -> Image.Image:
    """From a data URL; no address is ever called, no file read."""
    url = given.get("url") if isinstance(given, dict) else given
    if not isinstance(url, str) or not DATA.match(url):
        raise RequestError(f"{place}.image_url.url: expected data:image/…;base64,…")
    try:
        found = Image.open(io.BytesIO(_decoded(url)), formats=FORMATS)
        if found.width * found.height > MOST_PIXELS:
            raise RequestError(f"{place}: the image has more than {MOST_PIXELS} pixels", 413)
        return found.convert("RGB")
    except RequestError:
        raise
    except UnidentifiedImageError:
        raise RequestError(f"{place}: no image that can be read: none of {', '.join(FORMATS)}") from None
    except Exception as error:  # decoders raise errors of all kinds at damaged images
        raise RequestError(f"{place}: no image that can be read: {said(error)}") from None


def _decoded(url: str) -> bytes:
    return base64.b64decode(url.partition(",")[2], validate=True)
