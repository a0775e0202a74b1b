import numpy as np
import pytest

from assay_training.tower.rounding import Rounded, rounded


@pytest.fixture(scope="module")
def values() -> np.ndarray:
    """[500, 6]: columns of very different size, each with numbers far beyond three deviations."""
    return np.random.default_rng(0).standard_t(3, (500, 6)) * np.logspace(-3, 2, 6)


def test_eight_bits_keep_everything_within_half_a_step(values):
    found = rounded(values, 8)
    assert (found.integers.dtype, found.step.dtype, found.value.dtype) == (np.int8, np.float32, np.float32)
    assert np.abs(found.integers.astype(int)).max(0).tolist() == [127] * 6
    assert (np.abs(found.value - values) <= 0.501 * found.step).all()


def test_four_bits_cut_off_at_three_deviations(values):
    found, reach = rounded(values, 4), 3 * values.std(0)
    assert np.abs(found.integers).max(0).tolist() == [7] * 6
    np.testing.assert_allclose(found.step, reach / 7, rtol=1e-5)
    inside = np.abs(values) < reach
    assert not inside.all()
    assert (np.abs(found.value - values) <= 0.501 * found.step)[inside].all()
    expected = np.broadcast_to(reach, values.shape)[~inside]
    np.testing.assert_allclose(np.abs(found.value)[~inside], expected, rtol=1e-5)


def test_four_bits_reach_no_further_than_the_largest_value():
    found = rounded(np.array([[1.0, -2.0], [-1.0, 2.0]]), 4)
    assert found.integers.tolist() == [[7, -7], [-7, 7]]
    np.testing.assert_allclose(found.value, [[1, -2], [-1, 2]], rtol=1e-6)


@pytest.mark.parametrize("bits", [4, 8])
def test_zero_stays_zero(bits):
    assert not rounded(np.zeros((3, 2)), bits).value.any()


def test_two_integers_of_four_bits_share_a_byte(values):
    small = Rounded(np.array([[-7, 7, 0, 1]], np.int8), np.ones(4, np.float32), 4)
    assert small.packed().tolist() == [[1 + 16 * 8, 15 + 16 * 9]]
    found = rounded(values, 4)
    packed = found.packed()
    assert (packed.dtype, packed.shape) == (np.uint8, (500, 3))
    integers = np.concatenate([packed % 16, packed // 16], 1).astype(int) - 8
    np.testing.assert_array_equal(integers, found.integers)
