import numpy as np
import pytest
from scipy import stats

from assay_training import metrics

RNG = np.random.default_rng(0)
X = RNG.normal(size=60)
Y = X + RNG.normal(size=60)


def test_correlations_agree_with_scipy():
    assert metrics.srcc(X, Y) == pytest.approx(stats.spearmanr(X, Y)[0])
    assert metrics.plcc(X, Y) == pytest.approx(stats.pearsonr(X, Y)[0])
    assert metrics.krcc(X, Y) == pytest.approx(stats.kendalltau(X, Y)[0])


def test_known_values():
    a, b = np.array([1.0, 2, 3, 4]), np.array([1.0, 3, 2, 4])
    assert metrics.srcc(a, b) == pytest.approx(0.8)
    assert metrics.krcc(a, b) == pytest.approx(4 / 6)
    assert metrics.rmse(a, b) == pytest.approx(np.sqrt(0.5))


def test_within_ignores_differences_between_groups():
    group = np.repeat(["a", "b"], 30)
    shifted = X + 100 * (group == "b")
    found = metrics.within(shifted, Y, group)
    assert found["a"] == pytest.approx(metrics.srcc(X[:30], Y[:30]))
    assert found["mean"] == pytest.approx((found["a"] + found["b"]) / 2)


def test_best_of_gain_is_one_for_a_perfect_and_zero_for_a_random_pick():
    prompt = np.repeat(np.arange(15), 4)
    assert metrics.best_of(Y, Y, prompt)["gain"] == pytest.approx(1)
    assert abs(metrics.best_of(RNG.normal(size=60), Y, prompt)["gain"]) < 0.5


def test_a_prompt_drawn_twice_counts_twice():
    predicted, rated = (
        np.array([1.0, 2, 1, 2]),
        np.array([1.0, 5, 5, 1]),
    )  # right for one prompt only
    prompt = np.array(["a", "a", "b", "b"])
    found = metrics.best_of(predicted, rated, prompt, np.array([0, 1, 0, 1, 2, 3]))
    assert (found["pick"], found["random"], found["best"]) == (pytest.approx(11 / 3), 3, 5)
    assert metrics.best_of(predicted, rated, prompt, np.array([2, 3]))["pick"] == 1
    assert metrics.best_of(predicted, rated, prompt) == metrics.best_of(
        predicted, rated, prompt, np.arange(4)
    )


def test_intervals_of_a_mean_are_those_of_the_textbook():
    """Of choosing by chance among prompts of one best image each: the spread of a share of successes."""
    count = 400
    prompt, rated = np.repeat(np.arange(count), 2), np.tile([0.0, 1.0], count)
    predicted = np.where(np.repeat(RNG.random(count) < 0.7, 2), rated, 1 - rated)
    low, high = metrics.interval(
        lambda rows: metrics.best_of(predicted, rated, prompt, rows)["pick"], prompt, 400
    )
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(0.3 * 0.7 / count), rel=0.15)


def test_interval_holds_the_value_and_draws_prompts_together():
    prompt = np.repeat(np.arange(20), 3)
    low, high = metrics.interval(lambda rows: metrics.srcc(X[rows], Y[rows]), prompt, 200)
    assert low < metrics.srcc(X, Y) < high

    def whole_prompts(rows):
        assert all(np.bincount(prompt[rows]) % 3 == 0)
        return 0.0

    metrics.interval(whole_prompts, prompt, 5)


def test_coverage_counts_both_ends():
    assert metrics.covered(np.array([0.0, 1, 2, 3]), np.array([0, 0, 0, 0]), np.array([1, 1, 1, 1])) == 0.5
