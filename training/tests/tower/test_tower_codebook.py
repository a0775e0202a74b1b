import numpy as np
import pytest
import torch
from torch import Tensor

from assay_training.tower.codebook import CODES, GROUP, LARGEST, Coded, encode

ROWS, COLUMNS = 96, 160  # more columns than errors are passed on to at once


@pytest.fixture(scope="module")
def weight() -> Tensor:
    """Gaussian, with rows of very different size."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(ROWS, COLUMNS, generator=generator) * torch.logspace(-2, 1, ROWS)[:, None]


@pytest.fixture(scope="module")
def moments() -> Tensor:
    """Of inputs that mostly lie in a few directions, and are of different size."""
    generator = torch.Generator().manual_seed(1)
    mixed = torch.randn(400, 20, generator=generator) @ torch.randn(20, COLUMNS, generator=generator)
    inputs = (mixed + torch.randn(400, COLUMNS, generator=generator)) * torch.linspace(0.3, 2, COLUMNS)
    return inputs.T @ inputs / len(inputs)


@pytest.fixture(scope="module")
def coded(weight, moments) -> Coded:
    return encode(weight, moments)


def lost(weight: Tensor, found: np.ndarray, moments: Tensor) -> float:
    """Squared error of the products as a share of that of the zero matrix, mean over rows."""
    off = weight - torch.from_numpy(found)
    return float((((off @ moments) * off).sum(1) / ((weight @ moments) * weight).sum(1)).mean())


def rounded(weight: Tensor, coded: Coded) -> np.ndarray:
    """Every group rounded to the nearest vector of the same book, whatever the inputs are."""
    groups = (weight.numpy() / coded.scale[:, None]).reshape(-1, 1, GROUP)
    nearest = ((groups - coded.book.astype(np.float32)) ** 2).sum(2).argmin(1)
    return coded.book[nearest].reshape(weight.shape) * coded.scale[:, None]


def test_a_code_stands_for_four_weights_and_entries_have_seven_bits(coded):
    assert (coded.codes.dtype, coded.codes.shape) == (np.uint8, (ROWS, COLUMNS // GROUP))
    assert (coded.book.dtype, coded.book.shape) == (np.int8, (CODES, GROUP))
    assert (coded.scale.dtype, coded.scale.shape) == (np.float32, (ROWS,))
    assert np.abs(coded.book.astype(int)).max() == LARGEST == 63
    assert len(np.unique(coded.codes)) > CODES / 2


def test_matrix_is_looked_up_and_scaled_by_row():
    book = np.arange(CODES * GROUP).reshape(CODES, GROUP).astype(np.int8)
    coded = Coded(np.array([[1, 0], [2, 3]], np.uint8), book, np.array([1, 0.5], np.float32))
    np.testing.assert_array_equal(coded.integers(), [[4, 5, 6, 7, 0, 1, 2, 3], [*range(8, 16)]])
    np.testing.assert_array_equal(coded.matrix(), [[4, 5, 6, 7, 0, 1, 2, 3], np.arange(8, 16) / 2])


def test_white_inputs_lose_little(weight):
    white = torch.eye(COLUMNS)
    assert 0.03 < lost(weight, encode(weight, white).matrix(), white) < 0.15


def test_correlated_inputs_lose_less_than_rounding_alone(weight, moments, coded):
    plain = lost(weight, rounded(weight, coded), moments)
    assert plain < 0.2  # rounding alone is no straw man
    assert lost(weight, coded.matrix(), moments) < 0.5 * plain


def test_inputs_that_matter_are_favoured(weight):
    important = torch.ones(COLUMNS)
    important[: COLUMNS // 2] = 0.01
    off = (weight - torch.from_numpy(encode(weight, torch.diag(important)).matrix())) ** 2
    share = (off / weight.square().mean(1, keepdim=True)).mean(0)
    assert share[COLUMNS // 2 :].mean() < 0.8 * share[: COLUMNS // 2].mean()


def test_rows_are_scaled_to_fit_best(weight, moments, coded):
    found, expected = torch.from_numpy(coded.matrix()), weight
    damped = moments + 0.01 * moments.diagonal().mean() * torch.eye(COLUMNS)
    factor = ((expected @ damped) * found).sum(1) / ((found @ damped) * found).sum(1)
    torch.testing.assert_close(factor, torch.ones(ROWS), rtol=1e-3, atol=1e-3)


def test_arguments_are_left_as_they_were(weight, moments):
    before = weight.clone(), moments.clone()
    encode(weight, moments)
    torch.testing.assert_close((weight, moments), before, rtol=0, atol=0)


def test_a_seed_always_gives_the_same_codes(weight, moments, coded):
    again, other = encode(weight, moments), encode(weight, moments, seed=1)
    for name, value in coded.__dict__.items():
        np.testing.assert_array_equal(getattr(again, name), value, err_msg=name)
    assert (other.book != coded.book).any()
