"""The prompt that an image is made from, as the workflow says."""

from __future__ import annotations

from ..definitions import defined
from ..failures import AssayFailure
from ..finding import find_prompt
from ..fingerprint import failures_so_far, note_failure
from ..page import shown
from ..workflow import workflow_of


@defined("AssayPrompt")
class AssayPrompt:
    """With UNIQUE_ID among its inputs, the host keeps results by node id, too: a renumbered node runs again.

    Texts upstream are part of what the host compares, since the link of `image` is; so a changed prompt is found.
    """

    @classmethod
    def IS_CHANGED(cls, **_others):
        return failures_so_far()

    def run(self, image=None, override=("",), unique_id=(None,), dynprompt=(None,)):
        texts = [text for text in override or [] if isinstance(text, str)]
        if any(text.strip() for text in texts):
            return _answer(unique_id[0], texts, "given by hand")
        try:
            found = find_prompt(workflow_of(dynprompt[0], unique_id[0], "image"))
        except AssayFailure as failure:
            note_failure()
            return _answer(unique_id[0], [""], f"no prompt: {failure}")
        return _answer(unique_id[0], [found.get("prompt") or ""], _words(found))


def _answer(unique_id, prompts: list[str], words: str) -> dict:
    return {"ui": shown(unique_id, words, list(filter(None, prompts)), [], [], []), "result": (prompts,)}


def _words(found: dict) -> str:
    """Where the prompt comes from and how sure that is, or why there is none."""
    reason = found.get("reason")
    if not found.get("prompt"):
        return f"no prompt: {reason or 'none was found'}"
    if found.get("certain", True):
        return f"prompt from {found.get('from')}"
    return " – ".join(filter(None, [f"prompt (uncertain) from {found.get('from')}", reason]))
