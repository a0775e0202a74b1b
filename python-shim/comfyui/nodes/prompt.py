"""The prompt that an image is made from, as the workflow says."""

from __future__ import annotations

from ..definitions import defined
from ..page import shown
from ..prompts import find_prompt


@defined("AssayPrompt")
class AssayPrompt:
    """With UNIQUE_ID among its inputs, the host keeps results by node id, too: a renumbered node runs again.

    Texts upstream are part of what the host compares, since the link of `image` is; so a changed prompt is found.
    """

    def run(self, image=None, override="", unique_id=None, dynprompt=None):
        if override and override.strip():
            return _answer(unique_id, override, "given by hand")
        prompt, reason = find_prompt(_lookup(dynprompt), unique_id, "image")
        return _answer(unique_id, prompt, reason)


def _answer(unique_id, prompt: str, reason: str) -> dict:
    return {"ui": shown(unique_id, reason, [prompt] if prompt else [], [], []), "result": (prompt,)}


def _lookup(dynprompt):
    def node(node_id: str):
        return dynprompt.get_node(node_id) if dynprompt is not None and dynprompt.has_node(node_id) else None

    return node
