"""Matrices in four bits a weight: 128 neighbouring weights of a row share a step, as `MatMulNBits` stores
them.

Rounded with the error feedback of GPTQ (Frantar et al., arXiv 2210.17323): what rounding one column costs
is made
up for by those that follow, as far as inputs are correlated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

BLOCK = 128  # weights of a row that share a step
LOWEST, HIGHEST, ZERO = -8, 7, 8  # what a code may stand for, and the code that stands for 0
DAMPING = 0.01  # of the mean squared input, added to every input so that the factorisation is stable
REACHES = tuple(np.linspace(0.6, 1.0, 9))  # shares of the largest weight at which a block may be cut off


@dataclass(frozen=True)
class Blocked:
    """A matrix [R, C]: codes uint8 [R, C] in 0..15, step float32 [R, C / BLOCK]."""

    codes: np.ndarray
    step: np.ndarray

    def matrix(self) -> np.ndarray:
        """float32 [R, C]."""
        integers = self.codes.astype(np.float32) - ZERO
        return integers * self.step.repeat(BLOCK, 1)

    def packed(self) -> np.ndarray:
        """uint8 [R, C / BLOCK, BLOCK / 2]: two codes a byte, the first one low."""
        pairs = self.codes.reshape(len(self.codes), -1, BLOCK // 2, 2)
        return pairs[..., 0] | pairs[..., 1] << 4


@dataclass(frozen=True)
class Product:
    """A rounded matrix [R, C] and its bias [R]."""

    blocked: Blocked
    bias: np.ndarray

    def put_into(self, layer: nn.Linear) -> None:
        """Makes a layer compute the same."""
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(self.blocked.matrix()))
            layer.bias.copy_(torch.from_numpy(self.bias))


def encode(weight: Tensor, moments: Tensor) -> Blocked:
    """Codes for `weight` [R, C] that change its products with inputs of second moments [C, C] least."""
    rows, columns = weight.shape
    moments = moments.clone()
    moments.diagonal().add_(DAMPING * moments.diagonal().mean())
    factor = torch.linalg.cholesky(torch.linalg.inv(moments.double()), upper=True).float()
    importance = factor.diagonal().pow(-2)
    left = weight.clone()
    codes, steps = torch.empty(rows, columns), torch.empty(rows, columns // BLOCK)
    for number, start in enumerate(range(0, columns, BLOCK)):
        stop = start + BLOCK
        step = _step(left[:, start:stop], importance[start:stop])
        steps[:, number] = step
        errors, block = torch.empty(rows, BLOCK), left[:, start:stop]
        own = factor[start:stop, start:stop]
        for at in range(BLOCK):
            code = (block[:, at] / step).round().clamp(LOWEST, HIGHEST)
            codes[:, start + at] = code
            errors[:, at] = (block[:, at] - code * step) / own[at, at]
            block[:, at + 1 :] -= errors[:, at : at + 1] * own[at, at + 1 :]
        left[:, stop:] -= errors @ factor[start:stop, stop:]
    return Blocked((codes + ZERO).numpy().astype(np.uint8), steps.numpy())


def _step(block: Tensor, importance: Tensor) -> Tensor:
    """[R] the step, of a few, at which plain rounding of [R, BLOCK] is cheapest.

    A step may be negative: the side with one code more is then the lower one.
    """
    largest = block.abs().amax(1)
    sign = torch.where(block.amax(1) > -block.amin(1), -1.0, 1.0)
    best, cheapest = torch.ones(len(block)), torch.full((len(block),), torch.inf)
    for reach in REACHES:
        step = sign * (largest * reach / -LOWEST).clamp_min(1e-8)
        rounded = (block / step[:, None]).round().clamp(LOWEST, HIGHEST) * step[:, None]
        cost = ((block - rounded).square() * importance).sum(1)
        better = cost < cheapest
        best, cheapest = torch.where(better, step, best), torch.where(better, cost, cheapest)
    return best
