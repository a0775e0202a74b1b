import numpy as np
import pytest

from assay_training.calibration import Calibration, cross_fitted, fit
from assay_training.metrics import covered


def synthetic(seed: int, count: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    """Raw (mean, spread) whose error grows with the spread, and ratings through a curved map."""
    rng = np.random.default_rng(seed)
    mean, spread = rng.uniform(0, 4.5, count), rng.uniform(0.1, 0.6, count)
    rated = 5 * (mean / 4.5) ** 1.4 + rng.laplace(size=count) * spread * 0.7
    return np.stack([mean, spread], 1), rated.clip(0, 5)


def test_map_is_strictly_increasing_and_removes_the_curve():
    raw, rated = synthetic(0)
    calibration = fit(raw, rated)
    assert np.all(np.diff(calibration.x) > 0)
    assert np.all(np.diff(calibration.y) > 0)
    grid = np.linspace(-1, 6, 500)
    assert np.all(np.diff(calibration.score(grid)) > 0)
    error = calibration.score(raw[:, 0]) - 5 * (raw[:, 0] / 4.5) ** 1.4
    assert np.abs(error).mean() < 0.1


def test_extreme_inputs_stay_in_the_range():
    calibration = fit(*synthetic(0))
    found = calibration.apply(np.array([[-50.0, 9.0], [50.0, 9.0]]))
    assert found["score"].tolist() == [0, 5]
    assert found["percentile"].tolist() == [0, 1]
    assert (found["low"].tolist(), found["high"].tolist()) == ([0, 0], [5, 5])


def test_intervals_cover_new_data():
    raw, rated = synthetic(1)
    found = fit(*synthetic(0)).apply(raw)
    assert covered(rated, found["low"], found["high"]) == pytest.approx(0.9, abs=0.02)


def test_cross_fitted_coverage_is_as_stated():
    raw, rated = synthetic(2)
    found = cross_fitted(raw, rated, np.arange(len(raw)) % 5)
    assert covered(rated, found["low"], found["high"]) == pytest.approx(0.9, abs=0.02)


def test_percentile_is_the_share_of_lower_scores():
    raw, rated = synthetic(0)
    found = fit(raw, rated).apply(raw)
    ranks = np.argsort(np.argsort(found["score"])) / (len(raw) - 1)
    assert np.abs(found["percentile"] - ranks).max() < 0.01


def test_quantiles_strictly_increase_even_when_scores_tie():
    raw, rated = synthetic(0)
    raw[:200, 0] = -9
    assert np.all(np.diff(fit(raw, rated).quantiles) > 0)


def test_json_round_trip_gives_the_same_scores():
    raw, rated = synthetic(0)
    calibration = fit(raw, rated)
    again = Calibration.from_json(calibration.to_json(), (0, 5))
    assert again.apply(raw)["score"].tolist() == calibration.apply(raw)["score"].tolist()
