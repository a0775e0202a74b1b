"""All settings of one training run; stored in every checkpoint."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Config:
    """Defaults are the shipped recipe."""

    seed: int = 0
    epochs: int = 10
    batch: int = 24  # images per step, plus 2 degraded copies of `degraded` of them
    degraded: int = 4
    learning_rate: float = 2e-4
    final_rate: float = 0.05  # the cosine ends at this share of the learning rate
    weight_decay: float = 0.01  # none on biases
    warmup: int = 40  # steps
    crops: tuple[int, ...] = (24, 28, 32)  # sides of feature crops, of 40; one position is 8 pixels
    ema: float = 0.99
    clip: float = 2.0  # gradient norm
    ridge: float = 3000.0  # strength of the ridge regression that initialises the linear layer
    huber: float = 0.5  # in standard deviations of the MOS
    rank: float = 0.5  # weights of the loss terms, the Huber term being 1
    plcc: float = 0.5
    order: float = 0.5
    spread: float = 0.2
    same_generator: float = 4.0  # rank-loss weight of pairs made by one generator, other pairs being 1
    mixup: float = 0.0  # Beta(a, a) of feature mixup (Verma et al., 1806.05236), 0 for none
    text: float = 0.0  # weight of predicting the images' written descriptions
    text_size: int = 32  # length of the description vectors
    dropout: float = 0.2  # of pooled features
    head_rate: float = 1.0  # learning rate of the linear layers, as a share of the backbone's
    varied: int = 3  # cached copies with random part and colours, beside the plain and the mirrored one
