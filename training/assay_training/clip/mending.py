"""What OpenAI's tokenizer does to a text before it reads it, and the same as tables for the daemon.

It mends mangled Unicode (ftfy's fix_text), undoes HTML entities twice, makes runs of white space one space,
and lower-cases. The tables are read off ftfy and Python's html, so that the daemon mends as the installed
versions do.
"""

from __future__ import annotations

import html
import html.entities
import json
import re
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import ftfy
from ftfy import badness, chardata, fixes

CODES = range(sys.maxunicode + 1)
SURROGATES = range(0xD800, 0xE000)
CLASSES = {
    r"\s": r"\p{White_Space}",
    r"\w": r"\p{L}\p{N}_",
    r"\d": r"\p{Nd}",
}  # Python's, as others write them


def mended(text: str) -> str:
    """The text that OpenAI's tokenizer splits into words."""
    plain = html.unescape(html.unescape(ftfy.fix_text(text)))
    return re.sub(r"\s+", " ", plain.strip()).lower()


def write_mending(path: Path) -> Path:
    """Writes the tables and returns `path`. `src/reward/mending.ts` says what each is for."""
    path.write_text(json.dumps(tables(), ensure_ascii=True) + "\n", encoding="utf-8")
    return path


@cache
def tables() -> dict:
    """Entities, letters and encodings by what the libraries make of each."""
    return {
        "version": 1,
        "made": f"ftfy {ftfy.__version__}, Python {sys.version_info.major}.{sys.version_info.minor}",
        "entities": chardata.HTML_ENTITIES,
        "references": html.entities.html5,
        "numbers": {
            str(code): found
            for code in CODES
            if (found := html.unescape(f"&#{code};")) != chr(code) and code not in SURROGATES
        },
        "letters": [_changed(fixes.fix_c1_controls), *letters()],
        "removed": [plain(fixes.ANSI_RE), controls()],
        "bad": plain(badness.BADNESS_RE),
        "mangled": plain(chardata.UTF8_DETECTOR_RE),
        "graves": plain(fixes.A_GRAVE_WORD_RE),
        "spaced": plain(chardata.ALTERED_UTF8_RE),
        "lossy": plain(chardata.LOSSY_UTF8_RE),
        "encodings": [
            {
                "characters": bytes(range(256)).decode(name),
                "spaced": name != "macroman",
                "lossy": name.startswith("sloppy"),
            }
            for name in chardata.CHARMAP_ENCODINGS
        ],
    }


def letters() -> list[dict[str, str]]:
    """Characters and what stands for them, a table each: ligatures, characters of other widths, quotes."""
    return [
        _changed(change)
        for change in (fixes.fix_latin_ligatures, fixes.fix_character_width, fixes.uncurl_quotes)
    ]


def controls() -> str:
    """A class of a regular expression: the characters that are removed."""
    return "[" + "".join(f"\\u{ord(char):04x}" for char in _changed(fixes.remove_control_chars)) + "]"


def plain(pattern: re.Pattern) -> str:
    """A pattern of Python's `re` as one without white space, comments, and classes of letters that differ."""
    source = pattern.pattern
    source = source.decode("latin-1") if isinstance(source, bytes) else source
    found = []
    for part in re.findall(r"\[(?:\\.|[^\]])+\]|\\.|#[^\n]*|\s|.", source, re.DOTALL):
        if part.startswith("["):
            found.append(re.sub(r"\\[swd]", lambda name: CLASSES[name[0]], part))
        elif part in CLASSES:
            found.append(f"[{CLASSES[part]}]")
        elif not (pattern.flags & re.VERBOSE and (part.startswith("#") or part.isspace())):
            found.append(part)
    return "".join(found)


@cache
def _changed(change: Callable[[str], str]) -> dict[str, str]:
    """Characters that a function does not leave as they are."""
    return {char: found for char in map(chr, CODES) if (found := change(char)) != char}
