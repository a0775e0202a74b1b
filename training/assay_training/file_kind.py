"""What a file is that was to be weights, by its first bytes: downloads go wrong in a few known ways."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

HEAD = 512  # bytes looked at; the mark of a tar lies at 257
SHOWN = 60  # letters of a text that are quoted
SMALL = 1 << 16  # a text of more bytes is no message of a server
LARGEST = 1 << 27  # bytes of the table in a safetensors file
SAFETENSORS, TORCH = "safetensors", "torch"

PAGE = (
    "an HTML page; download the file itself (on Hugging Face and GitHub by the download button, whose "
    "address has resolve or raw in the place of blob), and sign in first if the page asks for it"
)
POINTER = "a Git LFS pointer, not the file; run `git lfs pull` in its repository, or download the file itself"
ANNEX = "a git-annex pointer, not the file; run `git annex get` in its repository"
PACKED = "an archive ({}); unpack it first"
STARTS: tuple[tuple[bytes, str], ...] = (
    (b"version https://git-lfs", POINTER),
    (b"/annex/objects/", ANNEX),
    (b"\x89PNG", "an image (PNG)"),
    (b"\xff\xd8\xff", "an image (JPEG)"),
    (b"GIF8", "an image (GIF)"),
    (b"%PDF", "a PDF"),
    (b"GGUF", "weights for llama.cpp (GGUF); get those for PyTorch"),
    (b"\x89HDF", "weights of Keras (HDF5); get those for PyTorch"),
    (b"\x93NUMPY", "an array of NumPy"),
    (b"\x1f\x8b", PACKED.format("gzip")),
    (b"BZh", PACKED.format("bzip2")),
    (b"\xfd7zXZ", PACKED.format("xz")),
    (b"\x28\xb5\x2f\xfd", PACKED.format("zstd")),
    (b"7z\xbc\xaf", PACKED.format("7z")),
    (b"Rar!", PACKED.format("rar")),
)


def format_of(path: Path) -> str:
    """SAFETENSORS or TORCH, whatever the name ends with."""
    head = _head(path)
    table = int.from_bytes(head[:8], "little")
    return SAFETENSORS if head[8:9] == b"{" and table < LARGEST else TORCH


def mistaken(path: Path) -> str | None:
    """What a file is that is no checkpoint, with what to do about it; None if it may be one."""
    head, size = _head(path), path.stat().st_size
    if not head:
        return "empty; download it again"
    if not head.strip(b"\0"):
        return "nothing but zeros, as of a download that stopped; download it again"
    for start, kind in STARTS:
        if head.startswith(start):
            return kind
    if head[257:262] == b"ustar":
        return PACKED.format("tar")
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "an image (WebP)"
    if head.startswith(b"PK\x03\x04"):
        return _of_zip(path, size)
    if format_of(path) == SAFETENSORS:
        return _of_safetensors(path, size)
    return _of_text(path, size)


def starts_with(path: Path, mark: bytes) -> bool:
    """Whether the file begins with these bytes."""
    return _head(path).startswith(mark)


def but_is(path: Path) -> str:
    """The end of a message about a file that cannot be read: what it is instead, if that is known."""
    wrong = mistaken(path)
    return f"; it is {wrong}" if wrong else ""


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD)


def _of_zip(path: Path, size: int) -> str | None:
    if not zipfile.is_zipfile(path):
        return f"cut off after {size} bytes; download it again"
    with zipfile.ZipFile(path) as file:
        names = file.namelist()
    if any(name.endswith("data.pkl") for name in names):
        return None
    if any(name.endswith(".npy") for name in names):
        return "arrays of NumPy (npz)"
    return PACKED.format(f"zip with {', '.join(names[:3])}{', …' if len(names) > 3 else ''}")


def _of_safetensors(path: Path, size: int) -> str | None:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        table = file.read(length)
    try:
        entries = json.loads(table) if len(table) == length else {"": {"data_offsets": [0, 1]}}
        ends = [entry["data_offsets"][1] for key, entry in entries.items() if key != "__metadata__"]
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
    whole = 8 + length + max(ends, default=0)
    return f"cut off: {size} of at least {whole} bytes; download it again" if size < whole else None


def _of_text(path: Path, size: int) -> str | None:
    """A page, or the message of a server, which is short."""
    head = _head(path).removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.lower().startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return PAGE
    if head.startswith(b"<?xml"):
        return "an XML text, such as servers answer with when they refuse; download the file itself"
    if size > SMALL:
        return None
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None
    if not "".join(text.split()).isprintable():
        return None
    return f"a text that begins {text.strip()[:SHOWN]!r}; download the file itself"
