"""BLIP's tokenizer: the word pieces of bert-base-uncased and two more, as a tokenizer.json.

Only the vocabulary is read from what there is; how text is cut into pieces is fixed here, by rules that all
readers of the file take alike: BertNormalizer differs between them, by older tables of characters or another
final sigma. Padding and truncation are left to those who call it. The default vocabulary is that of
assay-lite, which is the same.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import WordPiece
from tokenizers.processors import TemplateProcessing

from assay_training.data import DataError
from assay_training.file_kind import but_is

DEFAULT = Path(__file__).parents[3] / "models" / "assay-lite" / "tokenizer.json"
PIECES = 30522
SPECIAL = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, "[MASK]": 103}
MORE = ("[DEC]", "[ENC]")  # BLIP's own, with the next ids
VOCABULARY = "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"  # SHA-256 of its vocab.txt
CONTEXT = 35  # pieces of a text that ImageReward reads, with the two special ones
CONTROLS = "[\\x00\ufffd]|[^\\P{C}\\t\\n\\r]"  # and what is no character
IDEOGRAPHS = (  # each is a word
    "\u4e00-\u9fff\u3400-\u4dbf\uf900-\ufaff\U00020000-\U0002a6df\U0002a700-\U0002b73f\U0002b740-\U0002b81f"
    "\U0002b820-\U0002ceaf\U0002f800-\U0002fa1f"
)
ALONE = rf"[!-/:-@\[-`{{-~\p{{P}}{IDEOGRAPHS}]"  # punctuation, and all of ASCII that is no letter or digit


def write_tokenizer(source: Path | None, path: Path) -> None:
    """Writes `path` from `source`: vocab.txt or tokenizer.json of bert-base-uncased, None for DEFAULT.

    Raises DataError if the vocabulary is another one.
    """
    source = source or DEFAULT
    pieces = read_vocabulary(source)
    tokenizer = Tokenizer(
        WordPiece({piece: number for number, piece in enumerate(pieces)}, unk_token="[UNK]")
    )
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Replace("\u03a3", "\u03c3"),  # sigma, at the end of a word, too
            normalizers.Lowercase(),
            normalizers.Replace(Regex(CONTROLS), ""),
            normalizers.NFD(),
            normalizers.Replace(Regex(r"\p{Mn}"), ""),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\p{White_Space}+"), "removed"),
            pre_tokenizers.Split(Regex(ALONE), "isolated"),
        ]
    )
    ends = [(piece, SPECIAL[piece]) for piece in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    tokenizer.add_special_tokens([*SPECIAL, *MORE])
    tokenizer.save(str(path), pretty=False)


def read_vocabulary(source: Path) -> list[str]:
    """The 30522 pieces in the order of their ids. Raises DataError."""
    if not source.is_file():
        raise DataError(
            f"{source}: file not found; expected vocab.txt or tokenizer.json of bert-base-uncased"
        )
    try:
        text = source.read_text(encoding="utf-8")
        pieces = _of_json(text) if source.suffix == ".json" else text.removesuffix("\n").split("\n")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{source}: no vocabulary of word pieces: {type(error).__name__}: {error}") from None
    _check(pieces, source)
    return pieces


def _of_json(text: str) -> list[str]:
    found = json.loads(text)["model"]["vocab"]
    kept = {piece: number for piece, number in found.items() if piece not in MORE}
    if sorted(kept.values()) != list(range(len(kept))):
        raise ValueError("ids have gaps")
    return sorted(kept, key=kept.__getitem__)


def _check(pieces: list[str], source: Path) -> None:
    if len(pieces) != PIECES:
        raise DataError(
            f"{source}: expected the {PIECES} pieces of bert-base-uncased, found {len(pieces)}"
            f"{but_is(source)}"
        )
    for piece, number in SPECIAL.items():
        if pieces[number] != piece:
            raise DataError(f"{source}: piece {number}: expected {piece}, found {pieces[number]!r}")
    if hashlib.sha256("".join(f"{piece}\n" for piece in pieces).encode()).hexdigest() != VOCABULARY:
        raise DataError(f"{source}: pieces or their order differ from those of bert-base-uncased")
