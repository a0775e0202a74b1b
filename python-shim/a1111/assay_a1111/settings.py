# A copy of python-shim/assay_client/link/settings.py, made by `npm run generate`.
"""What the environment says of the daemon: its address, and its token by the rules that the daemon itself has."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path
from stat import S_IROTH, S_ISDIR, S_ISREG

from .failures import fail

DEFAULT_URL = "http://127.0.0.1:7878"
#: Fits a header, and cannot be guessed by trying.
_TOKEN = re.compile(r"[\x21-\x7e]{8,4096}")
_TOKEN_EXPECTED = "one word of at least 8 printable characters"
#: What the shell has opened for us, as in `<(command)`.
_DESCRIPTOR = re.compile(r"/(dev/stdin|(dev|proc/.+)/fd/\d+)")


def url() -> str:
    return _variable("ASSAY_URL") or DEFAULT_URL


def token() -> str | None:
    """Raises CONFIG_INVALID, TOKEN_UNREADABLE; nothing of a token is repeated."""
    given, path = _variable("ASSAY_TOKEN"), _variable("ASSAY_TOKEN_FILE")
    if given and path:
        raise _invalid("ASSAY_TOKEN", "either ASSAY_TOKEN or ASSAY_TOKEN_FILE, not both")
    if path:
        return _from_file(Path(path).absolute())
    if not given:
        return None
    if given[0] == given[-1] and given[0] in "\"'":
        raise _invalid("ASSAY_TOKEN", "a value without quotes around it")
    if not _TOKEN.fullmatch(given):
        raise _invalid("ASSAY_TOKEN", _TOKEN_EXPECTED)
    return given


def _variable(name: str) -> str:
    """Blank ones count as not set."""
    return os.environ.get(name, "").strip()


def _invalid(source: str, expected: str):
    return fail("CONFIG_INVALID", source=source, key="token", found="(not shown)", expected=expected)


def _from_file(path: Path) -> str:
    try:
        text = _read(path)
    except (OSError, ValueError) as cause:
        raise fail("TOKEN_UNREADABLE", path=path, reason=getattr(cause, "strerror", None) or cause) from cause
    if not _TOKEN.fullmatch(text):
        raise fail("TOKEN_UNREADABLE", path=path, reason=f"it must hold {_TOKEN_EXPECTED}")
    return text


def _read(path: Path) -> str:
    mode = path.stat().st_mode
    # To open a pipe is to wait for who writes into it, and a device has no end.
    if not S_ISREG(mode) and not S_ISDIR(mode) and not _DESCRIPTOR.fullmatch(str(path)):
        raise OSError("it is not a file")
    if os.name != "nt" and S_ISREG(mode) and mode & S_IROTH:
        logging.warning("Assay: every user of this machine can read %s: chmod 600", path)
    return path.read_bytes().decode("utf-8-sig", "replace").strip()
