"""In which form a gate gives out images: decided by what stands behind it in the workflow.

A batch goes on as a batch. Where values that come one per image meet the images further on, the images go on one by
one; and where these values do not come from the gate, each image keeps its place, with gaps for what is held back.
"""

from __future__ import annotations

from collections import defaultdict

from .workflow import Link, inputs_of, links

BATCHES = "batches"
SINGLES = "singles"
#: With gaps. A node that takes whole lists does not run when there is one.
PLACES = "places"

#: Nodes of ours whose images leave in the form in which they came, with what belongs to them.
_AS_THEY_CAME = ("AssayScore", "AssayGate")
_SHAPED = ("IMAGE", "MASK", "LATENT")


class Workflow:
    """Nodes by their id, and what is known of their classes."""

    def __init__(self, nodes: dict[str, dict], classes: dict[str, type], parents: dict[str, str] | None = None):
        self._nodes = nodes
        self._classes = classes
        self._parents = parents or {}
        self._readers: dict[str, list[tuple[int, str]]] = defaultdict(list)
        for node_id, node in nodes.items():
            for _, (source, output) in links(node):
                self._readers[source].append((output, node_id))

    def form_behind(self, gate: str, outputs: set[int]) -> str:
        """The form of the images, masks and latents that leave by these outputs of a gate."""
        met = self._lists_met(self._reached(gate, outputs))
        if met - {gate}:
            return PLACES
        return SINGLES if met else BATCHES

    def whole_list_readers(self, gate: str, outputs: set[int]) -> list[str]:
        """Nodes behind these outputs that take whole lists, by class; a gap would keep them from running."""
        reached = self._reached(gate, outputs)
        near = {node_id for output, node_id in self._readers[gate] if output in outputs}
        behind = {node_id for source in reached for _, node_id in self._readers[source]}
        kinds = {self._class_name(n) for n in near | behind if self._takes_lists(n)}
        return sorted(kinds - {"AssayPrompt"})  # it takes the link alone

    def _reached(self, gate: str, outputs: set[int]) -> set[str]:
        """Nodes that run once for each thing that leaves by these outputs."""
        ahead = [reader for output, reader in self._readers[gate] if output in outputs]
        ahead += self._outside(gate)
        reached: set[str] = set()
        while ahead:
            node_id = ahead.pop()
            if node_id in reached or self._takes_lists(node_id):
                continue
            reached.add(node_id)
            ahead += [reader for _, reader in self._readers[node_id]] + self._outside(node_id)
        return reached

    def _outside(self, node_id: str) -> list[str]:
        """Readers of the node that this one was made for: its results are theirs."""
        parent = self._parents.get(node_id)
        return [] if parent is None else [reader for _, reader in self._readers[parent]]

    def _lists_met(self, reached: set[str]) -> set[str]:
        """Nodes whose lists meet what is reached."""
        met: set[str] = set()
        for node_id in reached:
            for _, link in links(self._nodes.get(node_id)):
                if link[0] not in reached:
                    met |= self._list_sources(link, set())
        return met

    def _list_sources(self, link: Link, seen: set[Link]) -> set[str]:
        """Nodes that make a list of what comes by this link; none when it is a single value."""
        source, output = link
        if link in seen:
            return set()
        seen.add(link)
        kind = self._class_name(source)
        if kind in _AS_THEY_CAME and self._flag(source, "RETURN_TYPES", output) in _SHAPED:
            images = [via for name, via in links(self._nodes.get(source)) if name == "images"]
            return set().union(*(self._list_sources(via, seen) for via in images))
        if kind in ("AssayBest", "AssayShelf") and inputs_of(self._nodes.get(source)).get("k") == 1:
            return set()
        if self._flag(source, "OUTPUT_IS_LIST", output):
            return {source}
        if self._takes_lists(source):
            return set()
        return set().union(*(self._list_sources(via, seen) for _, via in links(self._nodes.get(source))))

    def _class_name(self, node_id: str) -> str:
        node = self._nodes.get(node_id)
        return str(node.get("class_type")) if isinstance(node, dict) else ""

    def _takes_lists(self, node_id: str) -> bool:
        return bool(getattr(self._classes.get(self._class_name(node_id)), "INPUT_IS_LIST", False))

    def _flag(self, node_id: str, attribute: str, output: int) -> object:
        """What its class says of one output."""
        flags = getattr(self._classes.get(self._class_name(node_id)), attribute, None) or ()
        return flags[output] if output < len(flags) else None
