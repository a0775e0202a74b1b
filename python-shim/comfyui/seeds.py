"""The seeds in a workflow that an image is made with."""

from __future__ import annotations

import re

from .workflow import inputs_of, is_link, links, upstream

_SEED = re.compile(r"(^|_)seed$", re.IGNORECASE)
#: Inputs of nodes that hold nothing but a number: primitives, seed nodes.
_NUMBERS = ("seed", "noise_seed", "value", "int", "number")
_MOST_LINKS = 20


def seeds_of(dynprompt, node_id: object, entry: str) -> dict[str, int]:
    """Those of the nodes that lead to input `entry`, as `node.input`, each place once; empty where none is told."""
    if dynprompt is None or node_id is None or not dynprompt.has_node(str(node_id)):
        return {}
    found: dict[str, int] = {}
    for name, (source, _) in links(dynprompt.get_node(str(node_id))):
        if name != entry:
            continue
        for maker, node in upstream(dynprompt, source).items():
            for place in filter(_SEED.search, inputs_of(node)):
                found.update(_number_at(dynprompt, maker, place))
    return found


def _number_at(dynprompt, node_id: str, name: str) -> dict[str, int]:
    """The number of an input, by the place where it stands: there, or in the node that it is linked to."""
    for _ in range(_MOST_LINKS):
        value = inputs_of(dynprompt.get_node(node_id)).get(name)
        if not is_link(value):
            # Below 0 it is the sign of a node that draws one by itself.
            return {f"{node_id}.{name}": value} if type(value) is int and value >= 0 else {}
        node_id = value[0]
        if not dynprompt.has_node(node_id):
            return {}
        inputs = inputs_of(dynprompt.get_node(node_id))
        name = next((known for known in _NUMBERS if known in inputs), "")
    return {}
