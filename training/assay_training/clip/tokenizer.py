"""CLIP's byte-level BPE as a tokenizer.json (Hugging Face's format), made from what a CLIP folder has.

OpenAI's own tokenizer mends texts before it splits them into words; `mending.py` does, and the daemon by its
tables. Both then leave out the rules of tokenizer.json, which are for readers that know nothing of this:
lower case, single spaces, no control characters, straight quotes, plain letters for ligatures, letters of
common width, and the entities of HTML 4. They guess no encoding and know few numeric references.
"""

from __future__ import annotations

import gzip
import html.entities
import json
import string
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from assay_training.checkpoints import CheckpointError
from assay_training.clip.mending import controls, letters, mended
from assay_training.clip.model import ClipConfig
from assay_training.file_kind import but_is
from assay_training.scorer import open_tokenizer as open_reader
from assay_training.scorer import token_ids

START, END = "<|startoftext|>", "<|endoftext|>"
WORD_END = "</w>"
OPENAI = "bpe_simple_vocab_16e6.txt.gz"
# OpenAI's pattern ignores case: a long s is an s, and the subscript iota of Greek, as a letter, no sign
WORDS = (
    r"<\|startoftext\|>|<\|endoftext\|>|'[s\u017f]|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]"
    r"|[^\s\p{L}\p{N}\u0345]+"
)
PAD = 0
NAMES = {"amp": "&", "apos": "'"} | {
    name: chr(code) for name, code in html.entities.name2codepoint.items() if name != "amp"
}
ENTITIES = {f"&{name};": char for name, char in NAMES.items()} | {
    reference: char for char in string.punctuation for reference in (f"&#{ord(char)};", f"&#x{ord(char):x};")
}
LAST_SIGMA = r"(?<=\p{L})\u03a3(?!\p{L})"
TINY_MERGES = (("a", "n"), ("t", "h"), ("th", "e" + WORD_END), ("o", "f" + WORD_END))


def write_tokenizer(source: Path, out: Path, config: ClipConfig | None = None) -> Path:
    """Writes `out` from a CLIP folder, or from one of its files, and returns it.

    In order of preference: tokenizer.json, vocab.json with merges.txt, bpe_simple_vocab_16e6.txt.gz. Raises
    CheckpointError if there is none, or if the ids of start and end are not the last two of the vocabulary.
    """
    folder = source if source.is_dir() else source.parent
    named = None if source.is_dir() else source.name
    if named not in (None, "tokenizer.json", "vocab.json", "merges.txt", OPENAI):
        named = None  # weights lie in the folder: look beside them
    if named in (None, "tokenizer.json") and (folder / "tokenizer.json").is_file():
        known = _json(folder / "tokenizer.json")
        known |= {"truncation": None, "padding": None}
        known |= {"normalizer": normalizer(), "pre_tokenizer": pre_tokenizer()}
    elif named != OPENAI and (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
        known = tokenizer_json(_json(folder / "vocab.json"), _merges(folder / "merges.txt"))
    elif (folder / OPENAI).is_file():
        known = _from_openai(folder / OPENAI, (config or ClipConfig()).vocabulary)
    else:
        raise CheckpointError(
            f"{source}: {'no tokenizer' if folder.is_dir() else 'no such folder'}; expected tokenizer.json, "
            f"vocab.json and merges.txt (openai/clip-vit-base-patch32 on Hugging Face has them), or {OPENAI} "
            "(clip/ of github.com/openai/CLIP)"
        )
    _check(known, config or ClipConfig(), source)
    out.write_text(json.dumps(known, ensure_ascii=False), encoding="utf-8")
    return out


def tiny_tokenizer(out: Path, config: ClipConfig | None = None) -> Path:
    """Writes a tokenizer with a handful of merges, but start and end where `config` has them; returns `out`.

    For tests and for nets with random weights: CLIP's real merges need a file of OpenAI's. Raises ValueError
    if the vocabulary cannot hold all bytes.
    """
    size = (config or ClipConfig()).vocabulary
    pieces = _pieces(TINY_MERGES)
    if size < len(pieces) + 2:
        raise ValueError(f"a vocabulary of {size} ids is too small: {len(pieces) + 2} are needed")
    vocabulary = {piece: index for index, piece in enumerate(pieces)} | {START: size - 2, END: size - 1}
    out.write_text(json.dumps(tokenizer_json(vocabulary, list(TINY_MERGES))), encoding="utf-8")
    return out


def open_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer of a file for mended texts, neither cutting nor filling up."""
    return open_reader(path, {"mending": True})


def encode(tokenizer: Tokenizer, texts: list[str], context: int) -> np.ndarray:
    """int64 [len(texts), context]: mended, cut keeping the last id, or filled up with 0, as in the daemon."""
    spec = {"contextLength": context, "padId": PAD, "dtype": "int64"}
    found = tokenizer.encode_batch([mended(text) for text in texts])
    return np.stack([token_ids(one.ids, spec) for one in found])


def tokenizer_json(vocabulary: dict[str, int], merges: list[tuple[str, str]]) -> dict:
    """The tokenizer as Hugging Face stores CLIP's."""
    ends = {text: vocabulary[text] for text in (START, END)}
    special = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": number, "content": text, **special} for text, number in ends.items()],
        "normalizer": normalizer(),
        "pre_tokenizer": pre_tokenizer(),
        "post_processor": {
            "type": "RobertaProcessing",
            "sep": [END, ends[END]],
            "cls": [START, ends[START]],
            "trim_offsets": False,
            "add_prefix_space": False,
        },
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": END,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": WORD_END,
            "fuse_unk": False,
            "vocab": vocabulary,
            "merges": [" ".join(pair) for pair in merges],
        },
    }


def pre_tokenizer() -> dict:
    """How a text is cut into words, and these into bytes."""
    return {
        "type": "Sequence",
        "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": WORDS}, "behavior": "Removed", "invert": True},
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False},
        ],
    }


def normalizer() -> dict:
    """What readers that do not mend a text do to it before it is cut into words."""
    letter_by_letter = {found: to for table in letters() for found, to in table.items()}
    return {
        "type": "Sequence",
        "normalizers": [
            *(_replaced({"String": found}, to) for found, to in (ENTITIES | letter_by_letter).items()),
            _replaced({"Regex": controls()}, ""),
            {"type": "NFC"},
            _replaced({"Regex": r"\s+"}, " "),
            _replaced({"Regex": LAST_SIGMA}, "ς"),
            {"type": "Lowercase"},
        ],
    }


def _replaced(pattern: dict, content: str) -> dict:
    return {"type": "Replace", "pattern": pattern, "content": content}


def byte_letters() -> list[str]:
    """The printable stand-ins of the 256 bytes, in the order of CLIP's vocabulary.

    Printable Latin-1 bytes stand for themselves and come first, the others are mapped to U+0100 and up.
    """
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    return [chr(byte) for byte in printable] + [chr(0x100 + n) for n in range(256 - len(printable))]


def _pieces(merges: tuple[tuple[str, str], ...] | list[tuple[str, str]]) -> list[str]:
    letters = byte_letters()
    return [*letters, *(letter + WORD_END for letter in letters), *("".join(pair) for pair in merges)]


def _from_openai(path: Path, size: int) -> dict:
    try:
        lines = gzip.decompress(path.read_bytes()).decode("utf-8").split("\n")[1:]
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path}: cannot be read as gzipped text: {error}{but_is(path)}") from None
    count = size - 2 * 256 - 2  # the file goes on with merges that CLIP does not use
    merges = [tuple(line.split()) for line in lines[:count]]
    if len(merges) != count or not all(len(pair) == 2 for pair in merges):
        raise CheckpointError(f"{path}: expected {count} merges of two pieces")
    pieces = [*_pieces(merges), START, END]
    return tokenizer_json({piece: index for index, piece in enumerate(pieces)}, merges)


def _merges(path: Path) -> list[tuple[str, str]]:
    lines = path.read_text(encoding="utf-8").split("\n")
    return [tuple(line.split(" ")) for line in lines if line and not line.startswith("#version")]


def _json(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(f"{path}: cannot be read as JSON: {error}{but_is(path)}") from None


def _check(known: dict, config: ClipConfig, source: Path) -> None:
    try:
        ids = Tokenizer.from_str(json.dumps(known)).encode("a").ids
    except Exception as error:  # the library raises bare Exceptions
        raise CheckpointError(f"{source}: no usable tokenizer: {error}") from None
    ends, found = [config.vocabulary - 2, config.vocabulary - 1], ids[:1] + ids[-1:]
    if found != ends:
        raise CheckpointError(f"{source}: start and end of text: expected ids {ends}, found {found}")
