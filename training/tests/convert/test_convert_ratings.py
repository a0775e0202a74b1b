import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import write_table
from PIL import Image

from assay_training.checkpoints import CheckpointError
from assay_training.convert import make_folder
from assay_training.data import COLUMNS, DataError
from assay_training.reference import _fit
from assay_training.scorer import Scorer

PROMPTS = ("cat", "dog", "a cat", "no dog", "word1 word2")


def rated(folder: Path, count: int, folds: int = 5) -> Path:
    """Squares of all brightnesses; ratings are made up."""
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    rows = []
    for number in range(count):
        squares = rng.integers(0, rng.integers(30, 256), (8, 8, 3)).astype(np.uint8)
        Image.fromarray(squares.repeat(8, 0).repeat(8, 1)).save(folder / "images" / f"{number}.png")
        row = dict.fromkeys(COLUMNS, 0.5) | {"name": f"{number}.png", "generator": "g"}
        row |= {"prompt": PROMPTS[number % 5], "fold": number % 5 % folds}
        rows.append(row | {"mos_quality": 2, "mos_align": 2})
    write_table(folder, rows)
    return folder


@pytest.fixture(scope="module")
def one_window(world):
    return replace(world.system, windows=(1,))


@pytest.fixture(scope="module")
def fitted(one_window, tmp_path_factory) -> tuple[Path, Path]:
    """Model folder and ratings, which are the raw outputs on another scale, with noise."""
    place = tmp_path_factory.mktemp("rated")
    make_folder(one_window, place / "raw")
    data = rated(place / "data", 60)
    scorer, rng = Scorer(place / "raw"), np.random.default_rng(1)
    lines = (data / "ratings.csv").read_text().splitlines()
    names = lines[0].split(",")
    rows = [dict(zip(names, line.split(","), strict=True)) for line in lines[1:]]
    raws = {"quality": [], "alignment": []}
    for row in rows:
        with Image.open(data / "images" / row["name"]) as image:
            inputs = {name: values[None] for name, values in scorer.inputs(image).items()}
        for aspect, raw in scorer.raw(inputs, row["prompt"]).items():
            raws[aspect].append(raw[0, 0])
    for aspect, column in (("quality", "mos_quality"), ("alignment", "mos_align")):
        standard = (np.array(raws[aspect]) - np.mean(raws[aspect])) / np.std(raws[aspect])
        for row, value in zip(rows, standard, strict=True):
            row[column] = float(np.clip(2.5 + 0.8 * value + rng.normal(0, 0.1), 0, 5))
    write_table(data, rows)
    make_folder(one_window, place / "out", ratings=data)
    return place / "out", data


def test_scores_are_fitted_to_the_ratings(fitted):
    folder, data = fitted
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["aspects"]["alignment"]["range"] == [0, 5]
    scorer = Scorer(folder)
    lines = [line.split(",") for line in (data / "ratings.csv").read_text().splitlines()]
    at = {name: index for index, name in enumerate(lines[0])}
    for aspect, column in (("quality", "mos_quality"), ("alignment", "mos_align")):
        errors, inside = [], []
        for line in lines[1:]:
            with Image.open(data / "images" / line[at["name"]]) as image:
                inputs = {name: values[None] for name, values in scorer.inputs(image).items()}
            found = scorer.score(inputs, line[at["prompt"]])[aspect]
            mos = float(line[at[column]])
            errors.append(found["score"][0] - mos)
            inside.append(found["low"][0] <= mos <= found["high"][0])
            assert 0 <= found["percentile"][0] <= 1
        assert np.sqrt(np.mean(np.square(errors))) < 0.2
        assert 0.85 <= np.mean(inside) <= 1


def test_the_files_say_what_was_fitted(fitted):
    folder, _ = fitted
    calibration = json.loads((folder / "calibration.json").read_text())
    assert calibration["fittedOn"].startswith("60 rated images (quality and alignment)")
    assert calibration["aspects"]["quality"]["interval"]["coverage"] == 0.9
    assert "Fitted to 60 rated images: quality and alignment" in (folder / "card.md").read_text()


def test_intervals_come_from_folds_that_the_map_did_not_see():
    rng = np.random.default_rng(0)
    raw = np.stack([rng.uniform(0, 5, 400), np.ones(400)], 1)
    fold = np.arange(400) % 2
    mos = np.clip(raw[:, 0], 0.5, 4.5) + np.where(fold == 0, 0.3, -0.3)
    # inside each fold the map would be exact; each fold's map is 0.6 off on the other
    assert _fit("quality", raw, mos, fold).scale == pytest.approx(0.6, abs=0.05)


def test_aspects_without_ratings_stay_as_they_are(one_window, tmp_path):
    manifest = json.loads(json.dumps(one_window.manifest))
    aspects = manifest["aspects"]
    aspects["authenticity"], aspects["alignment"], aspects["quality"] = aspects["alignment"], None, None
    manifest["reward"] = {"weights": {"authenticity": 1}}
    make_folder(
        replace(one_window, manifest=manifest), tmp_path / "out", ratings=rated(tmp_path / "data", 25)
    )
    entry = json.loads((tmp_path / "out" / "calibration.json").read_text())["aspects"]["authenticity"]
    assert entry["map"] == {"x": [-1, 1], "y": [-1, 1]}
    assert "There are no ratings of authenticity" in (tmp_path / "out" / "card.md").read_text()


def test_ratings_that_are_too_few_or_in_one_fold_are_named(one_window, tmp_path):
    with pytest.raises(DataError, match="at least 20 images in 2 folds, found 10 in 5"):
        make_folder(one_window, tmp_path / "out", ratings=rated(tmp_path / "few", 10))
    with pytest.raises(DataError, match="found 20 in 1"):
        make_folder(one_window, tmp_path / "out", ratings=rated(tmp_path / "one", 20, folds=1))


def test_scores_that_hardly_differ_are_named():
    raw = np.ones((50, 2))
    with pytest.raises(CheckpointError, match="alignment: rated images get too few different scores"):
        _fit("alignment", raw, np.linspace(0, 5, 50), np.arange(50) % 5)
