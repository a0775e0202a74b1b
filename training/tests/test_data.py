import numpy as np
import pytest
from conftest import read_table, write_table

from assay_training.data import DataError, check_folds, load_ratings


def test_loads_columns_in_row_order(data):
    ratings = load_ratings(data)
    assert len(ratings) == 15
    np.testing.assert_allclose(ratings.quality[:4], [1, 2, 3, 1.1])
    assert ratings.path(0).is_file()
    assert set(ratings.family()) == {"AttnGAN", "SD1.5"}


def test_folds_never_share_a_prompt(data):
    ratings = load_ratings(data)
    for fold in range(5):
        assert not set(ratings.prompt[ratings.fold == fold]) & set(ratings.prompt[ratings.fold != fold])


def test_prompt_in_two_folds_is_refused():
    with pytest.raises(DataError, match=r"column fold: prompt 'a' is in folds 0 and 1"):
        check_folds(np.array(["a", "b", "a"]), np.array([0, 1, 1]))


def test_missing_table_names_the_file(tmp_path):
    with pytest.raises(DataError, match=r"ratings\.csv: file not found"):
        load_ratings(tmp_path)


def test_missing_column_is_named(data):
    rows = read_table(data)
    write_table(data, [{key: value for key, value in row.items() if key != "mos_align"} for row in rows])
    with pytest.raises(DataError, match="missing column mos_align"):
        load_ratings(data)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("mos_quality", "good", r"line 4, column mos_quality: 'good' is no number"),
        ("mos_quality", "nan", r"line 4, column mos_quality: nan is outside 0.0..5.0"),
        ("mos_align", "7", r"line 4, column mos_align: 7 is outside 0.0..5.0"),
        ("fold", "9", r"line 4, column fold: 9 is outside 0..4"),
    ],
)
def test_bad_value_names_line_and_column(data, column, value, message):
    rows = read_table(data)
    rows[2][column] = value
    write_table(data, rows)
    with pytest.raises(DataError, match=message):
        load_ratings(data)


def test_missing_image_is_named(data):
    next((data / "images").iterdir()).unlink()
    with pytest.raises(DataError, match=r"image not found \(1 of 15 missing\)"):
        load_ratings(data)
