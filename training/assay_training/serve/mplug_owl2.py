"""mPLUG-Owl2, whose net is the package `mplug_owl2` of github.com/X-PLUG/mPLUG-Owl.

The form of the conversation and the square image are here; the net and its image processor are only called.
"""

from __future__ import annotations

import torch
from PIL import Image
from torch import nn

from assay_training.serve.conversation import Conversation, RequestError, Turn
from assay_training.serve.family import Family, Given, Loading, LoadingError

IMAGE = -200  # stands where what is seen is put
POSITIONS = 65  # of an image


class MplugOwl2(Family):
    """Asked one question; a conversation ends with the word of the assistant, who has not spoken yet."""

    def __init__(self, loading: Loading) -> None:
        try:
            from mplug_owl2.model.builder import load_pretrained_model
        except ImportError as error:
            raise LoadingError(
                f"{loading.folder}: the net of this model is the package mplug_owl2, which cannot be "
                f"imported here ({error}); install it from github.com/X-PLUG/mPLUG-Owl (folder mPLUG-Owl2)"
            ) from None
        where = {"device": loading.device, "torch_dtype": loading.dtype}
        found = load_pretrained_model(str(loading.folder), None, "mplug_owl2", **where)
        self.tokenizer, self.net, self.processor, self.context = found
        self.net = self.net.eval()

    @property
    def head(self) -> nn.Module:
        return self.net.lm_head

    def given(self, conversation: Conversation, answering: bool) -> Given:
        before, after = written(conversation.turns)
        first, rest = (self.tokenizer(text)["input_ids"] for text in (before, after))
        ids = [*first, IMAGE, *rest[rest[:1] == [self.tokenizer.bos_token_id] :]]
        shown = squared(conversation.image, self.processor.image_mean)
        values = self.processor.preprocess(shown, return_tensors="pt")["pixel_values"]
        device, dtype = self.net.device, self.net.dtype
        inputs = {"input_ids": torch.tensor([ids], device=device), "images": values.to(device, dtype)}
        seen = len(first) + POSITIONS
        return Given(inputs, len(ids) - 1 + POSITIONS, seen, prefix=len(ids))


def written(turns: tuple[Turn, ...]) -> tuple[str, str]:
    """What stands before the image, and behind it. Raises RequestError for more than one question."""
    if len(turns) != 1:
        raise RequestError("mPLUG-Owl2 is asked one question here: expected one message, of the user")
    parts = turns[0].parts
    at = parts.index(None)
    before, after = "".join(parts[:at]), "".join(parts[at + 1 :])
    return f"USER: {before}", f"{after} ASSISTANT:"


def squared(image: Image.Image, mean: tuple[float, ...]) -> Image.Image:
    """In the middle of a square of the mean colour, 0 to 1."""
    side = max(image.size)
    square = Image.new("RGB", (side, side), tuple(int(255 * one) for one in mean))
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return square
