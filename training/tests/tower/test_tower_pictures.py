from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from assay_training.data import DataError
from assay_training.degrade import DEGRADATIONS
from assay_training.images import stretched
from assay_training.tower import pictures as collecting
from assay_training.tower.pictures import choose, list_sources, picture
from tower.tower_world import TINY, write_picture


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Two sheets of four and six single pictures."""
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(2):
        (folder / "sheets" / str(number)).mkdir(parents=True)
        write_picture(folder / "sheets" / str(number) / "sheet.png", number, 384)
    (folder / "single").mkdir()
    for number, suffix in enumerate(("png", "webp", "PNG", "png", "png", "jpg")):
        write_picture(folder / "single" / f"{number}.{suffix}", 10 + number)
    (folder / "single" / "notes.txt").write_text("no picture")
    return folder


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(collecting, "SHAPE", TINY)


def test_sources_are_quarters_and_singles_and_every_second_one_degraded(folder):
    sources = list_sources(folder)
    plain, copies = sources[:14], sources[14:]
    assert [source.damage for source in plain] == [None] * 14
    assert [source.quarter for source in plain[:5]] == [(0, 0), (1, 0), (0, 1), (1, 1), (0, 0)]
    assert [source.path.name[0] for source in plain[8:]] == [*"012345"]
    assert [source.damage for source in copies] == list(DEGRADATIONS)[:7]
    assert [replace(source, damage=None) for source in copies] == plain[::2]


def test_a_sheet_is_cut_into_its_quarters(folder):
    sources = list_sources(folder)
    sheet = np.asarray(picture(replace(sources[0], quarter=None), 0))
    quarters = [np.asarray(picture(source, 0)) for source in sources[:4]]
    rows = [np.concatenate(quarters[:2], 1), np.concatenate(quarters[2:], 1)]
    np.testing.assert_array_equal(np.concatenate(rows), sheet)


def test_degraded_copies_are_seeded_by_their_number(folder):
    source = next(source for source in list_sources(folder) if source.damage == "noise")
    whole, first, again, other = (
        np.asarray(picture(one, number))
        for one, number in ((replace(source, damage=None), 3), (source, 3), (source, 3), (source, 4))
    )
    np.testing.assert_array_equal(first, again)
    assert first.shape == whole.shape
    assert (first != whole).any()
    assert (first != other).any()


def test_folder_without_pictures_is_named(tmp_path):
    (tmp_path / "single").mkdir()
    (tmp_path / "single" / "notes.txt").write_text("no picture")
    with pytest.raises(DataError, match=r"no pictures; expected sheets/") as caught:
        list_sources(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path}: ")


def test_undamaged_choice_holds_every_picture_once_and_no_copy(folder):
    found = choose(folder, 100, seed=0, damaged=False)
    assert (found.dtype, found.shape) == (np.uint8, (14, TINY.side, TINY.side, 3))
    expected = [stretched(picture(source, 0), TINY.side) for source in list_sources(folder)[:14]]
    np.testing.assert_array_equal(found, expected)


def test_damaged_choice_holds_the_copies_too(folder):
    found = choose(folder, 100, seed=0, damaged=True)
    sources = list_sources(folder)
    expected = [stretched(picture(source, number), TINY.side) for number, source in enumerate(sources)]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("damaged", [False, True])
def test_a_seed_always_gives_the_same_choice(folder, damaged):
    found = choose(folder, 5, seed=1, damaged=damaged)
    assert len(found) == 5
    np.testing.assert_array_equal(choose(folder, 5, seed=1, damaged=damaged), found)
    assert (choose(folder, 5, seed=2, damaged=damaged) != found).any()
