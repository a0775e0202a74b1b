import json

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from assay_training.data import DataError
from assay_training.scorer import cut
from assay_training.tower.words import CONTEXT, SPECIAL, build_words, encode, word_table
from tower.tower_world import WORDS


def test_table_has_a_row_per_piece_and_none_for_special_ones(words):
    table = words.table.value
    assert (words.table.bits, table.shape) == (4, (len(SPECIAL) + len(WORDS), 8))
    assert not table[: len(SPECIAL)].any()
    assert np.abs(table).max(1)[len(SPECIAL) :].min() > 0


def test_rows_are_what_the_encoder_makes_of_a_piece_and_frequent_ones_are_short(encoder):
    vocabulary = json.loads((encoder / "tokenizer.json").read_text())["model"]["vocab"]
    stored = {value.name: value for value in onnx.load(encoder / "minilm.onnx").graph.initializer}
    known = numpy_helper.to_array(stored["embedding"])
    lengths = np.linalg.norm(known - known.mean(0), axis=1) / 3  # of three pieces two are always the same
    expected = lengths * np.log(2 + np.arange(len(known)))
    expected[: len(SPECIAL)] = 0
    found = word_table(encoder / "minilm.onnx", vocabulary)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), expected, rtol=1e-4)


def test_vectors_have_length_one_unless_nothing_is_known(words):
    vectors = words.vectors(np.array(["a lake at dusk", "hills, hills", "", "山"]))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 1, 0, 0], atol=1e-6)


def test_padding_and_truncation_of_the_file_play_no_part(encoder):
    short, long = encode(encoder / "tokenizer.json", np.array(["a lakes", "very " * 90]))
    assert short == [1, 5, 7, 18, 2]
    assert len(long) == CONTEXT
    assert (long[0], long[-2], long[-1]) == (1, 16, 2)


def test_cut_keeps_the_last_piece():
    assert cut(list(range(CONTEXT)), CONTEXT) == list(range(CONTEXT))
    assert cut(list(range(CONTEXT + 5)), CONTEXT) == [*range(CONTEXT - 1), CONTEXT + 4]


def test_missing_tokenizer_is_named(tmp_path):
    with pytest.raises(DataError, match=r"tokenizer\.json: file not found"):
        build_words(tmp_path, tmp_path)
