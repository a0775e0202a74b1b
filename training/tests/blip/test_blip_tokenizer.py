import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from assay_training.blip.tokenizer import DEFAULT, read_vocabulary, write_tokenizer
from assay_training.data import DataError


@pytest.fixture(scope="module")
def pieces() -> list[str]:
    return read_vocabulary(DEFAULT)


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    write_tokenizer(None, path)
    return path


def lines(path: Path, pieces: list[str]) -> Path:
    path.write_text("".join(f"{piece}\n" for piece in pieces), encoding="utf-8")
    return path


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_vocabulary(path)
    return str(caught.value)


def test_pieces_have_the_published_ids(written):
    tokenizer = Tokenizer.from_file(str(written))
    assert tokenizer.encode("A photo, of a CAT").ids == [101, 1037, 6302, 1010, 1997, 1037, 4937, 102]
    assert tokenizer.encode("").ids == [101, 102]
    assert [tokenizer.token_to_id(piece) for piece in ("[PAD]", "[DEC]", "[ENC]")] == [0, 30522, 30523]
    assert tokenizer.get_vocab_size() == 30524


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("a\x00b\u200bc\ufeff\x07 d\u00ade", "abc de"),  # controls and characters without width
        ("Caf\u00c9 \u0130\u00dc", "cafe iu"),
        ("\u03a3\u0391\u03a3", "\u03c3\u03b1\u03c3"),  # no other sigma at the end of a word
        ("a\u00a0b\u3000c\u2028d\te", "a b c d e"),
        ("x\u5c71y\U00020000z", "x \u5c71 y \U00020000 z"),  # every ideograph is a word
        ("caf&eacute;", "caf & eacute ;"),  # entities stay
        ("\u201ca\u201d$1", "\u201c a \u201d $ 1"),
        ("a [SEP] b", "a [SEP] b"),
    ],
)
def test_texts_are_cut_as_bert_does(written, given, wanted):
    tokenizer = Tokenizer.from_file(str(written))
    assert tokenizer.encode(given).ids == tokenizer.encode(wanted).ids


def test_neither_pads_nor_cuts(written):
    tokenizer = Tokenizer.from_file(str(written))
    assert (tokenizer.padding, tokenizer.truncation) == (None, None)
    assert len(tokenizer.encode("cat " * 600).ids) == 602


def test_sources_come_to_the_same(written, pieces, tmp_path):
    stored = json.loads(written.read_text())  # what a Hugging Face folder may hold: two more pieces, padding
    stored["padding"] = {"strategy": {"Fixed": 9}, "direction": "Right", "pad_to_multiple_of": None}
    stored["model"]["vocab"] |= {"[DEC]": 30522, "[ENC]": 30523}
    other = tmp_path / "other.json"
    other.write_text(json.dumps(stored))
    for number, source in enumerate((lines(tmp_path / "vocab.txt", pieces), other, DEFAULT)):
        path = tmp_path / f"{number}.json"
        write_tokenizer(source, path)
        assert path.read_bytes() == written.read_bytes()


def test_missing_file_is_named(tmp_path):
    path = tmp_path / "vocab.txt"
    assert refusal(path).startswith(f"{path}: file not found")


def test_other_vocabularies_are_refused(tmp_path, pieces):
    path = tmp_path / "vocab.txt"
    found = refusal(lines(path, pieces[:-1]))
    assert found == f"{path}: expected the 30522 pieces of bert-base-uncased, found 30521"
    swapped = [*pieces[:101], pieces[102], pieces[101], *pieces[103:]]
    assert refusal(lines(path, swapped)) == f"{path}: piece 101: expected [CLS], found '[SEP]'"
    swapped = [*pieces[:2000], pieces[2001], pieces[2000], *pieces[2002:]]
    assert refusal(lines(path, swapped)).endswith("differ from those of bert-base-uncased")


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"model": {"vocab": {"a": 0, "b": 2}}}', '{"model": {"vocab": 1}}']
)
def test_json_without_a_vocabulary_is_refused(tmp_path, text):
    path = tmp_path / "tokenizer.json"
    path.write_text(text)
    assert refusal(path).startswith(f"{path}: no vocabulary of word pieces")


def test_binary_files_are_refused(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_bytes(b"\xff\xfe\x00")
    assert refusal(path).startswith(f"{path}: no vocabulary of word pieces")
