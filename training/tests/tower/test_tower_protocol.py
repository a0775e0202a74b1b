import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from assay_training.data import DataError
from assay_training.report import shortened
from assay_training.tower import agreement, protocol, report
from assay_training.tower.card import write_card
from assay_training.tower.figures import figures, print_figures
from assay_training.tower.held import Held
from assay_training.tower.predictions import read_predictions, write_predictions
from assay_training.tower.protocol import (
    DOMAIN_SHARE,
    SHOWN,
    calibrations,
    domain_limit,
    hold_out,
    measure,
)
from tower.tower_world import RECIPE, SMALL, World

WORLD = World()
RATINGS, FEATURES, PROMPTS = WORLD.ratings, WORLD.features, WORLD.prompts
MADE = {  # what other stages add to the results
    "compressed": asdict(RECIPE) | {"errors": [0.1, 0.2]},
    "speed": {"ms": 43.21, "bytes": 12_340_000},
    "domain": {"limit": 1.5, "falseAlarms": 0.005, "unratedAlarms": 0.004},
    "foreign": {"screenshots": {"images": 77, "caught": 0.61, "overrated": 0.07}},
}
FIELDS = ("quality", "alignment", "foreignness", "wins")  # of images whose prompt was held out


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """One seed and few draws: quick, and predictions are then those of the seed that is written."""
    monkeypatch.setattr(protocol, "SEEDS", (0,))
    monkeypatch.setattr(agreement, "DRAWS", 4)
    monkeypatch.setattr(agreement, "BEST_DRAWS", 4)


@pytest.fixture(scope="module")
def held() -> Held:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(protocol, "SEEDS", (0,))
        return hold_out(RATINGS, FEATURES, PROMPTS, SMALL)


def changed_ratings(rows: np.ndarray):
    """Other ratings of some images, on the same side of SHOWN, so that the same images are asked about."""
    quality, alignment = RATINGS.quality.copy(), RATINGS.alignment.copy()
    quality[rows] = 5 - quality[rows]
    middle = np.where(alignment[rows] >= SHOWN, 3.5, 1.25)
    alignment[rows] = 2 * middle - alignment[rows]
    assert ((alignment >= SHOWN) == (RATINGS.alignment >= SHOWN)).all()
    return replace(RATINGS, quality=quality, alignment=alignment)


def test_ratings_of_a_prompt_never_reach_its_predictions(held):
    rows = np.flatnonzero(RATINGS.prompt == RATINGS.prompt[FEATURES.rows[0]])
    other = hold_out(changed_ratings(rows), FEATURES, PROMPTS, SMALL)
    for name in FIELDS:
        np.testing.assert_array_equal(
            getattr(other, name)[:, rows], getattr(held, name)[:, rows], err_msg=name
        )
    fold = RATINGS.fold[rows[0]]
    np.testing.assert_array_equal(other.noise[:, fold], held.noise[:, fold])
    places = np.isin(FEATURES.rows, rows)
    np.testing.assert_array_equal(other.ladders[:, places], held.ladders[:, places])
    elsewhere = RATINGS.fold != fold
    assert (other.quality[:, elsewhere] != held.quality[:, elsewhere]).any()  # there they were learnt from


def test_ratings_of_a_family_never_reach_its_predictions(held):
    rows = np.flatnonzero(RATINGS.family() == "SD1.5")
    other = hold_out(changed_ratings(rows), FEATURES, PROMPTS, SMALL)
    np.testing.assert_array_equal(other.unseen[:, rows], held.unseen[:, rows])
    np.testing.assert_array_equal(other.unseen_alignment[:, rows], held.unseen_alignment[:, rows])
    rest = RATINGS.family() != "SD1.5"
    assert (other.unseen[:, rest] != held.unseen[:, rest]).any()


def test_everything_is_filled_and_wins_only_where_the_prompt_shows(held):
    for name, value in held.__dict__.items():
        assert name == "wins" or np.isfinite(value).all(), name
    np.testing.assert_array_equal(np.isnan(held.wins[0]), RATINGS.alignment < SHOWN)
    assert ((held.wins[0] >= 0) & (held.wins[0] <= 1))[RATINGS.alignment >= SHOWN].all()


def test_figures_are_finite_plain_values_in_sane_places(held):
    results = measure(RATINGS, FEATURES, held, None)
    assert json.loads(json.dumps(results, allow_nan=False)) == results
    assert results["quality"]["srcc"]["value"] > 0.7
    assert results["alignment"]["srcc"]["value"] > results["alignment"]["qualityInItsPlace"]["srcc"]
    assert results["rightPrompt"]["value"] > 0.8
    assert results["damage"]["steps"] > 0.8
    assert results["damage"]["noisePercentile"] < 0.2
    assert results["quality"]["coverage"]["value"] == pytest.approx(0.9, abs=0.06)
    assert set(results["unseen"]["families"]) == {"AttnGAN", "DALLE2", "SD1.5"}
    assert "gain" not in results["quality"]["srcc"]
    low, high = results["quality"]["srcc"]["ci"]
    assert low < high
    assert len(report.lines(results)) > 20


def test_card_quotes_what_was_measured(held, tmp_path):
    results = measure(RATINGS, FEATURES, held, None) | MADE
    write_card(tmp_path / "card.md", results)
    text = (tmp_path / "card.md").read_text(encoding="utf-8")
    for entry in (results["quality"]["srcc"], results["alignment"]["withinMean"], results["rightPrompt"]):
        assert report.with_ci(entry) in text
    assert "12.3 MB" in text
    assert "| screenshots | 77 | 61% | 7% |" in text
    del results["foreign"]
    write_card(tmp_path / "card.md", results)
    assert "screenshots" not in (tmp_path / "card.md").read_text(encoding="utf-8")


def test_against_its_own_predictions_it_gains_nothing(held, tmp_path):
    path = tmp_path / "predictions.csv"
    write_predictions(path, RATINGS, held)
    shuffled = path.read_text().splitlines()
    path.write_text("\n".join([shuffled[0], *reversed(shuffled[1:])]) + "\n")
    last = read_predictions(path, RATINGS)
    assert last.keys() == {"quality", "alignment", "unseen"}
    results = measure(RATINGS, FEATURES, held, last)
    entries = [*(results["quality"][n] for n in ("srcc", "plcc", "krcc", "rmse", "withinMean", "bestOf4"))]
    entries += [results["unseen"][name] for name in ("pooled", "within")]
    for entry in entries:
        np.testing.assert_allclose([entry["gain"]["value"], *entry["gain"]["ci"]], 0, atol=1e-3)


def test_figures_of_kept_scores_are_those_of_the_run(held, tmp_path, capsys):
    path = tmp_path / "tower.json"
    ours = measure(RATINGS, FEATURES, held, None)
    path.write_text(json.dumps(shortened(ours)))
    write_predictions(path.with_suffix(".csv"), RATINGS, held)
    tables = figures(RATINGS, path)
    for aspect in ("quality", "alignment"):
        for name in ("srcc", "krcc", "withinMean", "bestOf4"):
            wanted, found = ours[aspect][name], tables[aspect][name]
            np.testing.assert_allclose(
                [found["value"], *found["ci"]], [wanted["value"], *wanted["ci"]], atol=2e-3
            )
    print_figures(tables)
    assert report.with_ci(tables["quality"]["bestOf4"]) in capsys.readouterr().out


def test_figures_without_kept_scores_say_so(tmp_path):
    with pytest.raises(DataError, match=r"tower\.csv: file not found"):
        figures(RATINGS, tmp_path / "tower.json")


def test_a_gain_that_may_be_chance_is_called_that(held, tmp_path):
    results = measure(RATINGS, FEATURES, held, None) | MADE
    for low, told in ((-0.01, True), (0.01, False)):
        results["quality"]["bestOf4"]["gain"] = {"value": 0.08, "ci": [low, 0.2]}
        write_card(tmp_path / "card.md", results)
        assert ("may be chance" in (tmp_path / "card.md").read_text(encoding="utf-8")) is told


def test_a_worse_scorer_is_beaten(held):
    noise = np.random.default_rng(0).normal(size=len(RATINGS))
    results = measure(RATINGS, FEATURES, held, {"quality": noise, "unseen": noise})
    assert results["quality"]["srcc"]["gain"]["value"] > 0.5
    assert "gain" not in results["alignment"]["srcc"]


def test_no_earlier_predictions_is_no_error(tmp_path):
    assert read_predictions(tmp_path / "last.csv", RATINGS) is None


def test_held_out_outputs_survive_the_disk(held, tmp_path):
    held.save(tmp_path / "held.npz")
    for name, value in Held.load(tmp_path / "held.npz").__dict__.items():
        np.testing.assert_array_equal(value, getattr(held, name))


def test_what_ships_is_fitted_to_held_out_outputs(held):
    found = calibrations(RATINGS, held)
    score = found["quality"].apply(held.quality[0])
    covered = (RATINGS.quality >= score["low"]) & (RATINGS.quality <= score["high"])
    assert covered.mean() == pytest.approx(0.9, abs=0.03)


def test_unrated_pictures_widen_the_domain(held):
    far = replace(held, pictures=held.pictures + 100)
    assert domain_limit(far) == pytest.approx(100 + np.quantile(held.pictures, DOMAIN_SHARE))
    near = replace(held, pictures=np.zeros_like(held.pictures))
    assert domain_limit(near) == pytest.approx(np.quantile(held.foreignness, DOMAIN_SHARE))
