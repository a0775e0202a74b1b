"""The panel and the texts of errors, as `definitions.json` describes them."""

from __future__ import annotations

import json
from pathlib import Path

_FILE = json.loads(Path(__file__).with_name("definitions.json").read_text("utf-8"))

TITLE: str = _FILE["title"]
#: In the order in which the API takes them.
INPUTS: list[dict] = _FILE["inputs"]
#: By code: the `message` and `fix` templates of the errors that this side can meet.
ERRORS: dict[str, dict[str, str]] = _FILE["errors"]
