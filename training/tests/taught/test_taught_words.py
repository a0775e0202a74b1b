import numpy as np
import pytest

from assay_training.data import DataError
from assay_training.taught.words import CONTEXT, SPECIAL, build_words, cut, encode
from taught.taught_world import WORDS


def test_table_has_a_row_per_piece_and_none_for_special_ones(words):
    assert words.table.shape == (len(SPECIAL) + len(WORDS), 8)
    assert not words.table[: len(SPECIAL)].any()
    assert np.abs(words.table).max(1)[len(SPECIAL) :].min() > 0


def test_table_is_exact_in_eight_bits(words):
    codes = words.table * 127
    np.testing.assert_allclose(codes, codes.round(), atol=1e-4)
    assert np.abs(codes).max() == pytest.approx(127)


def test_vectors_have_length_one_unless_nothing_is_known(words):
    vectors = words.vectors(np.array(["a lake at dusk", "hills, hills", "", "山"]))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 1, 0, 0], atol=1e-6)


def test_padding_and_truncation_of_the_file_play_no_part(encoder):
    short, long = encode(encoder / "tokenizer.json", np.array(["a lakes", "very " * 90]))
    assert short == [1, 5, 7, 18, 2]
    assert len(long) == CONTEXT
    assert (long[0], long[-2], long[-1]) == (1, 16, 2)


def test_cut_keeps_the_last_piece():
    assert cut(list(range(CONTEXT))) == list(range(CONTEXT))
    assert cut(list(range(CONTEXT + 5))) == [*range(CONTEXT - 1), CONTEXT + 4]


def test_missing_tokenizer_is_named(tmp_path):
    with pytest.raises(DataError, match=r"tokenizer\.json: file not found"):
        build_words(tmp_path, tmp_path)
