"""All settings of one training run; stored in every checkpoint."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Config:
    """Defaults are the shipped recipe."""

    seed: int = 0
    epochs: int = 8
    batch: int = 24  # images per step, plus 2 degraded copies of `degraded` of them
    degraded: int = 3
    learning_rate: float = 2e-4
    final_rate: float = 0.05  # the cosine ends at this share of the learning rate
    weight_decay: float = 0.01  # none on biases
    warmup: int = 40  # steps
    crops: tuple[int, ...] = (24, 28, 32)  # sides of feature crops, of 40; one position is 8 pixels
    ema: float = 0.99
    clip: float = 2.0  # gradient norm
    ridge: float = 3000.0  # strength of the ridge regression that initialises the linear layers
    huber: float = 0.5  # in standard deviations of the MOS
    rank: float = 0.5  # weights of the loss terms, the Huber term being 1
    plcc: float = 0.5
    order: float = 0.5
    text: float = 0.3  # predicting the images' written descriptions
    text_size: int = 32  # length of the description vectors
