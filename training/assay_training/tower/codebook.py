"""Matrices in two bits a weight: every four neighbouring weights of a row are one of 256 stored vectors.

Product quantisation (Jégou et al., TPAMI 2011) with the error feedback of GPTQ (Frantar et al., arXiv
2210.17323; for vectors van Baalen et al., arXiv 2402.15319): what rounding one group of columns costs is made
up for by those that follow, as far as inputs are correlated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

GROUP = 4  # neighbouring weights of a row that share a code
CODES = 256
LARGEST = 63  # entries are integers in -63..63: sums of two uint8 x int7 products fit 16 bits on any CPU
STRIDE = 128  # columns after which errors are passed on to all that follow
DAMPING = 0.01  # of the mean squared input, added to every input so that the factorisation is stable
SAMPLE, ROUNDS = 60_000, 12  # vectors and rounds of k-means


@dataclass(frozen=True)
class Coded:
    """A matrix [R, C]: codes uint8 [R, C / GROUP] into book int8 [CODES, GROUP], scale float32 [R]."""

    codes: np.ndarray
    book: np.ndarray
    scale: np.ndarray

    def integers(self) -> np.ndarray:
        """int8 [R, C]; times `scale` of the row this is the matrix."""
        return self.book[self.codes].reshape(len(self.codes), -1)

    def matrix(self) -> np.ndarray:
        """float32 [R, C]."""
        return self.integers() * self.scale[:, None]


def encode(weight: Tensor, moments: Tensor, seed: int = 0) -> Coded:
    """Codes for `weight` [R, C] that change its products with inputs of second moments [C, C] least."""
    rows, columns = weight.shape
    moments = moments.clone()
    moments.diagonal().add_(DAMPING * moments.diagonal().mean())
    factor = torch.linalg.cholesky(torch.linalg.inv(moments.double()), upper=True).float()
    scale = weight.pow(2).mean(1).sqrt() + 1e-8
    left = weight / scale[:, None]
    weights = factor.diagonal().pow(-2).view(-1, GROUP).mean(1)
    book = _book(left.reshape(-1, GROUP), weights.repeat(rows), seed)
    codes = torch.empty(rows, columns // GROUP, dtype=torch.long)
    for start in range(0, columns, STRIDE):
        stop = min(start + STRIDE, columns)
        errors = torch.empty(rows, stop - start)
        for at in range(start, stop, GROUP):
            here = slice(at, at + GROUP)
            unmix = torch.linalg.inv(factor[here, here])
            codes[:, at // GROUP] = _nearest(left[:, here] @ unmix, book @ unmix)
            error = (left[:, here] - book[codes[:, at // GROUP]]) @ unmix
            errors[:, at - start : at - start + GROUP] = error
            left[:, at + GROUP : stop] -= error @ factor[here, at + GROUP : stop]
        left[:, stop:] -= errors @ factor[start:stop, stop:]
    rounded = book[codes].view(rows, columns)
    weighted = rounded @ moments
    fitted = (weight * weighted).sum(1) / (rounded * weighted).sum(1)
    largest = float(book.abs().max())
    integers = (book * (LARGEST / largest)).round()
    return Coded(
        codes.numpy().astype(np.uint8),
        integers.numpy().astype(np.int8),
        (fitted * (largest / LARGEST)).numpy().astype(np.float32),
    )


def _book(vectors: Tensor, weights: Tensor, seed: int) -> Tensor:
    """[CODES, GROUP] by weighted k-means on a sample, rounded as it is stored."""
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(len(vectors), generator=generator)[:SAMPLE]
    vectors, weights = vectors[chosen], weights[chosen]
    book = vectors[torch.randperm(len(vectors), generator=generator)[:CODES]].clone()
    for _ in range(ROUNDS):
        nearest = _nearest(vectors, book)
        sums = torch.zeros_like(book).index_add_(0, nearest, vectors * weights[:, None])
        total = torch.zeros(len(book)).index_add_(0, nearest, weights)
        used = total > 0
        book[used] = sums[used] / total[used, None]
        spare = torch.randperm(len(vectors), generator=generator)[: int((~used).sum())]
        book[~used] = vectors[spare]
    step = book.abs().max() / LARGEST
    return (book / step).round() * step


def _nearest(vectors: Tensor, book: Tensor) -> Tensor:
    """Index [N] of the entry of `book` [K, D] closest to each of `vectors` [N, D]."""
    return (book.pow(2).sum(1)[None] - 2 * vectors @ book.T).argmin(1)
