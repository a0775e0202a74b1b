"""What a system hands over to be held against the daemon: a model folder to be, and the plain modules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from assay_training.convert import System

Judge = Callable[[Image.Image, str], dict[str, float]]  # of a picture and its prompt, by aspect
Holds = Callable[
    [Image.Image, str], dict[str, np.ndarray]
]  # states of a language model, by what it was asked last


@dataclass(frozen=True)
class Case:
    """A model folder to be, and the plain modules that were made of the same checkpoint.

    holds: what the language model has to say that the judge was given; None where it asks none. most:
    pairs of picture and prompt, where one takes minutes.
    """

    system: System
    judge: Judge
    holds: Holds | None = None
    most: int | None = None
