"""The nodes as `definitions.json` describes them, made into the class attributes that ComfyUI reads."""

from __future__ import annotations

import json
from pathlib import Path

_FILE = json.loads(Path(__file__).with_name("definitions.json").read_text("utf-8"))
_BY_ID = {node["id"]: node for node in _FILE["nodes"]}

#: By code: the `message` and `fix` templates of the errors that this side can meet.
ERRORS: dict[str, dict[str, str]] = _FILE["errors"]

CATEGORY = "Assay"
#: Keys of a described input that ComfyUI takes as they are.
_OPTIONS = ("default", "min", "max", "step", "multiline", "lazy", "rawLink", "tooltip")


def _input(described: dict) -> tuple:
    kind = list(described["choices"]) if described["type"] == "COMBO" else described["type"]
    return kind, {key: described[key] for key in _OPTIONS if key in described}


def input_types(node: dict) -> dict[str, dict]:
    """What `INPUT_TYPES` of a described node returns; new on each call, since hosts and packs edit it."""
    groups: dict[str, dict] = {"required": {}, "optional": {}}
    for described in node["inputs"]:
        group = "optional" if described.get("optional") else "required"
        groups[group][described["name"]] = _input(described)
    return {**groups, "hidden": dict(node["hidden"])}


def defined(node_id: str):
    """Class decorator: gives a node class the attributes of its definition. The class brings `run`."""
    node = _BY_ID[node_id]
    outputs = node["outputs"]

    def dress(cls):
        cls.INPUT_TYPES = classmethod(lambda _cls: input_types(node))
        cls.INPUT_IS_LIST = node["takesLists"]
        cls.RETURN_TYPES = tuple(output["type"] for output in outputs)
        cls.RETURN_NAMES = tuple(output["name"] for output in outputs)
        cls.OUTPUT_IS_LIST = tuple(output["list"] for output in outputs)
        cls.OUTPUT_TOOLTIPS = tuple(output["tooltip"] for output in outputs)
        cls.OUTPUT_NODE = node["isEnd"]
        cls.CATEGORY = CATEGORY
        cls.DESCRIPTION = node["description"]
        cls.SEARCH_ALIASES = list(node["searchAliases"])
        cls.FUNCTION = "run"
        cls.NODE_ID = node_id
        cls.DISPLAY_NAME = node["displayName"]
        return cls

    return dress
