"""Whether graphs, tokenizer and manifest of a system fit together, before a folder is made of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from assay_training.checkpoints import CheckpointError
from assay_training.language import inputs_of
from assay_training.prepare import Inputs
from assay_training.scorer import open_session, open_tokenizer, tokens

PATTERNS = {"id": r"[a-z0-9][a-z0-9._-]*", "version": r"\w[\w.+-]*"}
PER = ("prompt", "image", "pair")
DTYPES = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8, "tensor(int64)": np.int64}
# longer than any context; in several scripts, so that few parts of a vocabulary are left out
LONG_TEXT = "a Photo of 2 cats, 山の風景, été à Łódź, привет; 👍 (8k:1.3) " * 60


def check_system(graphs: dict[str, Path], tokenizer: Path | None, manifest: dict) -> None:
    """Raises CheckpointError saying which parts contradict each other."""
    check_names(manifest)
    _check_chain(graphs, manifest["graphs"])
    text = manifest["text"] or {}
    if bool(text) != (tokenizer is not None):
        raise CheckpointError("manifest: text and a tokenizer go together; expected both or neither")
    reader = _reader(tokenizer, text) if tokenizer else None
    images, carried = image_inputs(manifest["image"]), set()
    chain = manifest["graphs"]
    takes_images = next((link["graph"] for link in chain if link["per"] == "image"), "score")
    for link in chain:
        path = graphs[link["graph"]]
        session = open_session(path)
        wanted = images if link["graph"] == takes_images else set()
        if link is chain[-1]:
            wanted = wanted | carried | inputs_of(manifest.get("language"))
        wanted = wanted | _text_inputs(link, text)
        _check_names(path, session, wanted)
        if link.get("texts") and not reader:
            raise CheckpointError(f"manifest: graph {link['graph']!r} reads texts, but text is null")
        if link.get("texts"):
            _check_texts(path, session, link, text, tokenizer, reader)
        carried |= {entry.name for entry in session.get_outputs()}
        outputs = {entry.name for entry in session.get_outputs()}
    for name, aspect in manifest["aspects"].items():
        if aspect and aspect["output"] not in outputs:
            found = _listed(outputs)
            raise CheckpointError(f"{path}: aspect {name} reads output {aspect['output']!r}, found {found}")


def check_names(named: dict) -> None:
    """Of `id` and `version`, those that are given. Raises CheckpointError."""
    for name, pattern in PATTERNS.items():
        if name in named and not re.fullmatch(pattern, named[name]):
            raise CheckpointError(f"{name}: expected {pattern}, found {named[name]!r}")


def image_inputs(image: dict) -> set[str]:
    """Names of the graph inputs that hold the image."""
    return {name for name in (image["input"], image.get("windows", {}).get("whole")) if name}


def _check_chain(graphs: dict[str, Path], chain: list[dict]) -> None:
    names = [link["graph"] for link in chain]
    for link in chain:
        if link["graph"] not in graphs:
            raise CheckpointError(f"manifest: graphs names {link['graph']!r}; there are {_listed(graphs)}")
        if not graphs[link["graph"]].is_file():
            raise CheckpointError(f"{graphs[link['graph']]}: file of the graph {link['graph']!r} not found")
        if link["per"] not in PER:
            raise CheckpointError(f"manifest: graph {link['graph']!r}: per is {link['per']!r}, not of {PER}")
    if len(set(names)) < len(names) or not names or names[-1] != "score":
        raise CheckpointError(f"manifest: graphs must differ and end with 'score', found {names}")
    if set(graphs) - set(names):
        raise CheckpointError(
            f"files that the manifest's graphs do not name: {_listed(set(graphs) - set(names))}"
        )


def _reader(path: Path, text: dict) -> Tokenizer:
    """The tokenizer, if the context has room for more than what it puts around a text."""
    reader, room = _opened(path, text), text["contextLength"]
    special = len(reader.encode("").ids)
    if special >= room:
        raise CheckpointError(
            f"{path}: an empty text has {special} tokens, which leaves none of contextLength {room}"
        )
    return reader


def _opened(path: Path, text: dict) -> Tokenizer:
    if not path.is_file():
        raise CheckpointError(f"{path}: file not found")
    try:
        return open_tokenizer(path, text)
    except Exception as error:  # the library raises no narrower class
        raise CheckpointError(f"{path}: cannot be read as a tokenizer: {error}") from None


def _text_inputs(link: dict, text: dict) -> set[str]:
    return {name for name in (text["ids"], text["mask"]) if name} if link.get("texts") else set()


def _check_names(path: Path, session: onnxruntime.InferenceSession, wanted: set[str]) -> None:
    found = {entry.name for entry in session.get_inputs()}
    if found != wanted:
        raise CheckpointError(
            f"{path}: the manifest gives the inputs {_listed(wanted)}, the graph takes {_listed(found)}"
        )


def _check_texts(
    path: Path,
    session: onnxruntime.InferenceSession,
    link: dict,
    text: dict,
    tokenizer: Path,
    reader: Tokenizer,
) -> None:
    """Shape of the token inputs; then the graph must accept a long text, none, and the highest id."""
    expected = [len(link["texts"]), text["contextLength"]]
    for entry in session.get_inputs():
        if entry.name in _text_inputs(link, text) and entry.shape[1:] != expected:
            raise CheckpointError(
                f"{path}: input {entry.name!r} takes [texts, tokens] {entry.shape[1:]}, the manifest has "
                f"{expected[0]} texts of contextLength {expected[1]}"
            )
    for prompt in (LONG_TEXT, ""):
        texts = [one.replace("{prompt}", prompt) for one in link["texts"]]
        _try(path, session, tokens(texts, reader, text), tokenizer, text)
    ids = tokens(link["texts"], reader, text)
    ids[text["ids"]][:, -1] = max(reader.get_vocab(with_added_tokens=True).values())
    _try(path, session, ids, tokenizer, text)


def _try(
    path: Path, session: onnxruntime.InferenceSession, found: Inputs, tokenizer: Path, text: dict
) -> None:
    feeds = {}
    for entry in session.get_inputs():
        shape = [size if isinstance(size, int) else 1 for size in entry.shape]
        feeds[entry.name] = np.zeros(shape, DTYPES[entry.type])
    try:
        session.run(None, feeds | {name: values[None] for name, values in found.items()})
    except Exception as error:  # onnxruntime's own classes share no narrower base
        message = str(error)
        if "out of data bounds" in message or "Gather" in message:
            highest = int(found[text["ids"]].max())
            raise CheckpointError(
                f"{tokenizer}: gives ids up to {highest}, which are beyond the embedding of {path}"
            ) from None
        raise CheckpointError(f"{path}: does not run on tokens of {tokenizer}: {message}") from None


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
