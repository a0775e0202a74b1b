import gzip
import json
import re

import pytest
from tokenizers import Tokenizer

from assay_training.checkpoints import CheckpointError
from assay_training.clip.mending import mended, plain, write_mending
from assay_training.clip.model import ClipConfig
from assay_training.clip.tokenizer import (
    END,
    OPENAI,
    START,
    byte_letters,
    encode,
    open_tokenizer,
    tiny_tokenizer,
    write_tokenizer,
)
from clip.clip_world import TINY

FIRST, LAST = 49406, 49407  # start and end of text


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tiny_tokenizer(tmp_path_factory.mktemp("tokenizer") / "tokenizer.json")


@pytest.fixture(scope="module")
def tiny(path):
    return open_tokenizer(path)


def test_texts_lie_between_start_and_end(tiny):
    ids = encode(tiny, ["a cat", ""], 77)
    assert (ids.shape, ids.dtype.name) == ((2, 77), "int64")
    # the first 256 ids are bytes, the next 256 bytes at the end of a word; a is the 65th printable byte
    a, c, t = 64, ord("c") - ord("!"), ord("t") - ord("!")
    assert ids[0, :6].tolist() == [FIRST, a + 256, c, a, t + 256, LAST]
    assert ids[1, :2].tolist() == [FIRST, LAST]
    assert not ids[0, 6:].any() and not ids[1, 2:].any()
    assert ids[0].argmax() == 5


def test_merges_are_applied(tiny):
    assert tiny.encode("the an of").tokens == [START, "the</w>", "a", "n</w>", "of</w>", END]


def test_case_and_white_space_do_not_matter(tiny):
    tame, wild = encode(tiny, ["a red fox, 42 ÉCLAIRS", "  A  RED\n\tfox,42 e\u0301clairs "], 77)
    assert tame.tolist() == wild.tolist()


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("a \u201cquoted\u201d cat\u2019s \u2018life\u2019", "a \"quoted\" cat's 'life'"),
        ("\ufb01ne wa\ufb04e", "fine waffle"),
        ("\uff21\uff22 \uff11\uff0c\u3000\uff04", "ab 1, $"),
        ("\uff76\uff9e", "\u30ac"),  # half-width katakana with its mark
        ("Q&amp;A &lt;b&gt; it&#39;s&nbsp;x", "q&a <b> it's x"),
        ("caf&eacute; it&apos;s &hearts;", "café it's \u2665"),
        ("\ufeffa\x00b\x7fc\u200d", "abc\u200d"),
        ("\u01c6in", "d\u017ein"),  # a letter for two
        ("\u03a3\u0391\u03a3", "\u03c3\u03b1\u03c2"),  # the last sigma is another one
    ],
)
def test_what_openai_mends_is_mended(tiny, path, given, wanted):
    """By us, and by the rules of the file where something else reads it."""
    assert encode(tiny, [given], 77).tolist() == encode(tiny, [wanted], 77).tolist()
    alone = Tokenizer.from_file(str(path))
    assert alone.encode(given).ids == alone.encode(wanted).ids


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("caf\u00c3\u00a9 na\u00c3\u00afve", "caf\u00e9 na\u00efve"),
        ("&amp;amp;eacute; &#233 &EACUTE;", "\u00e9 \u00e9 \u00e9"),
        (
            "<b> &amp;amp;eacute; &rsquo;",
            "<b> &eacute; \u2019",
        ),  # beside markup they are undone twice, and no more
        ("\x1b[31mred\x1b[0m", "red"),
    ],
)
def test_what_no_rule_of_a_file_can_mend_is_mended(given, wanted):
    assert mended(given) == wanted


def test_tables_hold_what_the_libraries_do(tmp_path):
    found = json.loads(write_mending(tmp_path / "mending.json").read_text())
    assert found["entities"]["&eacute;"] == found["references"]["eacute"] == "\u00e9"
    assert found["numbers"]["150"] == "\u2013" and "65" not in found["numbers"]
    bad = found["bad"].replace(r"\p{White_Space}", r"\s").replace(r"\p{L}\p{N}_", r"\w")
    assert re.search(bad, "caf\u00c3\u00a9") and not re.search(bad, "caf\u00e9")
    assert all(len(entry["characters"]) == 256 for entry in found["encodings"])


def test_verbose_patterns_are_written_plainly():
    verbose = re.compile(
        r"""
        a [ b] \s  # a comment with [brackets]
        | [\w#] \#""",
        re.VERBOSE,
    )
    assert plain(verbose) == r"a[ b][\p{White_Space}]|[\p{L}\p{N}_#]\#"
    assert plain(re.compile(b"\xc3 [?]")) == "\u00c3 [?]"


def test_hugging_faces_file_is_mended_too(tmp_path):
    source = tiny_tokenizer(tmp_path / "tokenizer.json")
    known = json.loads(source.read_text())
    known["normalizer"] = {"type": "Lowercase"}
    source.write_text(json.dumps(known))
    written = Tokenizer.from_file(str(write_tokenizer(tmp_path, tmp_path / "out.json")))
    assert written.encode("\u201cA\u201d").ids == written.encode('"a"').ids


def test_words_are_cut_at_kinds_of_letters(tiny):
    tokens = tiny.encode("it's 12!?x").tokens
    ends = [token for token in tokens if token.endswith("</w>")]
    assert ends == ["t</w>", "s</w>", "1</w>", "2</w>", "?</w>", "x</w>"]


def test_long_texts_are_cut_and_keep_their_end(tiny):
    ids = encode(tiny, ["x " * 200], 77)[0]
    assert ids[0] == FIRST and ids[76] == LAST
    assert LAST not in ids[:76] and ids.argmax() == 76
    exact = encode(tiny, ["x " * 75, "x " * 76], 77)
    assert exact[0].tolist() == exact[1].tolist()


def test_tiny_sizes_have_their_own_ends(tmp_path):
    ids = encode(open_tokenizer(tiny_tokenizer(tmp_path / "t.json", TINY)), ["a"], TINY.context)[0]
    assert ids[:3].tolist() == [528, 320, 529]
    with pytest.raises(ValueError, match="too small"):
        tiny_tokenizer(tmp_path / "t.json", ClipConfig(vocabulary=500))


def test_bytes_have_distinct_letters():
    letters = byte_letters()
    assert len(set(letters)) == 256
    assert (letters[0], letters[93], letters[94], letters[188]) == ("!", "~", "¡", "Ā")


def openai_file(folder, size: int):
    """A file like OpenAI's with `size - 514` merges that count, and one more."""
    merges = ["t h", "th e</w>", *(f"{chr(97 + i % 26)} {chr(97 + i // 26)}</w>" for i in range(size - 515))]
    text = "\n".join(["bpe_simple_vocab_16e6.txt#version: 0.2", *merges])
    (folder / OPENAI).write_bytes(gzip.compress(text.encode()))


def test_openais_merges_and_vocab_files_make_the_same_tokenizer(tmp_path):
    config = ClipConfig(vocabulary=560)
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    openai_file(one, 560)
    made = json.loads(write_tokenizer(one, tmp_path / "a.json", config).read_text())
    assert made["model"]["vocab"]["the</w>"] == 513 and made["model"]["vocab"][END] == 559
    assert len(made["model"]["merges"]) == 560 - 514
    (two / "vocab.json").write_text(json.dumps(made["model"]["vocab"]))
    (two / "merges.txt").write_text("#version: 0.2\n" + "\n".join(made["model"]["merges"]) + "\n")
    again = json.loads(write_tokenizer(two / "vocab.json", tmp_path / "b.json", config).read_text())
    assert again == made
    made["truncation"] = {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0}
    (one / "tokenizer.json").write_text(json.dumps(made))
    assert json.loads(write_tokenizer(one, tmp_path / "c.json", config).read_text()) == again


def test_unusable_folders_are_named(tmp_path):
    with pytest.raises(CheckpointError, match="no tokenizer; expected"):
        write_tokenizer(tmp_path, tmp_path / "out.json")
    tiny_tokenizer(tmp_path / "tokenizer.json", TINY)
    with pytest.raises(CheckpointError, match=r"expected ids \[49406, 49407\], found \[528, 529\]"):
        write_tokenizer(tmp_path, tmp_path / "out.json")
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(CheckpointError, match="cannot be read as JSON"):
        write_tokenizer(tmp_path, tmp_path / "out.json")
    (tmp_path / "tokenizer.json").unlink()
    (tmp_path / OPENAI).write_bytes(b"no gzip")
    with pytest.raises(CheckpointError, match="cannot be read as gzipped text"):
        write_tokenizer(tmp_path, tmp_path / "out.json")
    openai_file(tmp_path, 560)
    with pytest.raises(CheckpointError, match="expected 48894 merges"):
        write_tokenizer(tmp_path, tmp_path / "out.json")
