"""Matrices in eight or four bits with one step per column: for numbers whose users are fitted afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

CUT = 3.0  # deviations of a column beyond which four bits cut off
ZERO = 8  # what is added to four-bit integers when two of them share a byte


@dataclass(frozen=True)
class Rounded:
    """integers int8 [R, C], in -127..127 or -7..7, times step float32 [C]."""

    integers: np.ndarray
    step: np.ndarray
    bits: int

    @cached_property
    def value(self) -> np.ndarray:
        """float32 [R, C]."""
        return self.integers * self.step

    def packed(self) -> np.ndarray:
        """uint8 [R, C / 2] of four-bit integers: columns i and i + C / 2 in one byte, the former low."""
        low, high = np.split(self.integers.astype(np.int16) + ZERO, 2, axis=1)
        return (low + 16 * high).astype(np.uint8)


def rounded(values: np.ndarray, bits: int) -> Rounded:
    """The closest matrix of its kind to `values` [R, C]; C must be even for four bits."""
    largest, reach = 2 ** (bits - 1) - 1, np.abs(values).max(0)
    if bits == 4:
        reach = np.minimum(reach, CUT * values.std(0))
    step = (np.maximum(reach, 1e-9) / largest).astype(np.float32)
    integers = np.clip(np.round(values / step), -largest, largest).astype(np.int8)
    return Rounded(integers, step, bits)
