"""The running workflow: the part that leads to a node, small enough to go along with a request."""

from __future__ import annotations

import json
from collections.abc import Iterator

Link = tuple[str, int]

#: Longest text that is sent, in characters, and the shorter limits that are tried when the whole is too large.
_LONGEST_TEXTS = (65_536, 4096, 512)
_MOST_BYTES = 2**20
#: Entries of a list or map, and containers in each other, that are sent of a widget's value.
_MOST_ENTRIES = 1000
_DEEPEST = 6


def workflow_of(dynprompt, node_id: object, entry: str) -> dict | None:
    """Where the daemon finds the prompt of what comes by input `entry`; None where the host tells no workflow."""
    if dynprompt is None or node_id is None:
        return None
    nodes = upstream(dynprompt, str(node_id))
    for longest in _LONGEST_TEXTS:
        graph = {key: _lean_node(node, longest) for key, node in nodes.items()}
        if len(json.dumps(graph)) <= _MOST_BYTES:
            return {"graph": graph, "node": str(node_id), "input": entry}
    return None


def upstream(dynprompt, start: str) -> dict[str, dict]:
    """The node and all that its links lead to, nodes that were made during the run among them."""
    found: dict[str, dict] = {}
    ahead = [start]
    while ahead:
        node_id = ahead.pop()
        if node_id in found or not dynprompt.has_node(node_id):
            continue
        found[node_id] = dynprompt.get_node(node_id)
        ahead.extend(source for _, (source, _) in links(found[node_id]))
    return found


def inputs_of(node: object) -> dict:
    inputs = node.get("inputs") if isinstance(node, dict) else None
    return inputs if isinstance(inputs, dict) else {}


def links(node: object) -> Iterator[tuple[str, Link]]:
    """Names of the inputs that are linked, and where to."""
    for name, value in inputs_of(node).items():
        if is_link(value):
            yield name, (value[0], int(value[1]))


def is_link(value: object) -> bool:
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        return False
    return isinstance(value[0], str) and isinstance(value[1], (int, float)) and not isinstance(value[1], bool)


def _lean_node(node: dict, longest: int) -> dict:
    kept = {"class_type": str(node.get("class_type", "")), "inputs": _lean(inputs_of(node), longest)}
    meta = node.get("_meta")
    return {**kept, "_meta": _lean(meta, longest)} if isinstance(meta, dict) else kept


def _lean(value: object, longest: int, depth: int = 0) -> object:
    """Without what is no prompt anyway: files in base64, points of masks, tensors."""
    if isinstance(value, str):
        return value if len(value) <= longest else None
    if value is None or isinstance(value, (bool, float)):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**63 else float(value)
    if not isinstance(value, (dict, list, tuple)) or len(value) > _MOST_ENTRIES or depth > _DEEPEST:
        return None
    if isinstance(value, dict):
        return {str(key): _lean(inner, longest, depth + 1) for key, inner in value.items()}
    return [_lean(inner, longest, depth + 1) for inner in value]
