"""A kind of vision-language model: how it is loaded, and how a conversation is put to it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from assay_training.serve.conversation import Conversation, RequestError


class LoadingError(ValueError):
    """A folder that cannot be served; the message names it."""


@dataclass(frozen=True)
class Loading:
    """How a model is loaded."""

    folder: Path
    device: str = "cpu"
    dtype: torch.dtype = torch.float32
    code: bool = False  # whether Python code in the folder may be run
    slices: int = 9  # parts that a large image is cut into at most, where the family cuts


@dataclass(frozen=True)
class Given:
    """What a net is called with."""

    inputs: dict  # arguments of the net
    length: int  # positions
    seen: int  # positions up to the end of the image
    prefix: int = 0  # ids that `generate` repeats before its answer


class Family(ABC):
    """A model that is loaded. Its hidden states are what its output layer reads."""

    net: nn.Module
    tokenizer: object
    context: int  # most positions
    search: dict = {}  # noqa: RUF012  # how it looks for an answer where nobody asks for probabilities

    @abstractmethod
    def given(self, conversation: Conversation, answering: bool) -> Given:
        """answering: the model has the word next; else it stands as it is. Raises RequestError."""

    @property
    @abstractmethod
    def head(self) -> nn.Module:
        """The output layer."""

    def forward(self, given: Given) -> None:
        """Runs the net over all positions."""
        self.net(**given.inputs)

    def generate(self, given: Given, **options: object) -> object:
        """Answers, as `generate` of transformers does, which gives a dict here."""
        return self.net.generate(**given.inputs, **options)

    @torch.inference_mode()
    def states(self, given: Given) -> Tensor:
        """float32 [length, width]: hidden states after the last norm."""
        held: list[Tensor] = []
        hook = self.head.register_forward_pre_hook(lambda _, inputs: held.append(inputs[0]))
        try:
            self.forward(given)
        finally:
            hook.remove()
        if len(held) != 1 or held[0].dim() != 3 or held[0].shape[1] != given.length:
            found = [list(one.shape) for one in held]
            raise RequestError(
                f"this model does not give one hidden state a position: its output layer read {found} for "
                f"{given.length} positions",
                501,
            )
        return held[0][0].float()

    def check(self, given: Given) -> None:
        """Raises RequestError if it is longer than the model reads."""
        if given.length > self.context:
            raise RequestError(
                f"the conversation has {given.length} positions, more than the {self.context} that the model "
                "reads",
                422,
            )
