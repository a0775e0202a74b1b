"""Whether a shelf is as a node has left it: only then may the host answer from its cache.

A run changes the shelf, and would by itself change what `IS_CHANGED` returns for the next: the host would run
everything behind the node once more for nothing.
"""

from __future__ import annotations

Key = tuple[str, str]

#: By node and name: what was answered before its last run, and how that run left the shelf.
_left: dict[Key, tuple[str, str]] = {}
_asked: dict[Key, str] = {}


def freshness(node_id: object, name: str, stamp: str) -> str:
    """For `IS_CHANGED`: the same as before the node's last run, unless somebody else has changed the shelf since."""
    key = (str(node_id), name)
    answered, left = _left.get(key, ("", ""))
    _asked[key] = answered if left == stamp else stamp
    return _asked[key]


def note_left(node_id: object, name: str, stamp: str) -> None:
    """After a run of the node."""
    key = (str(node_id), name)
    _left[key] = (_asked.get(key, ""), stamp)
