"""What a node shows: text that any frontend draws, and plain data for `web/assay.js`."""

from __future__ import annotations

from dataclasses import dataclass, field

from .report import SENT_VERDICTS, plain, sanitised, shortened

#: Lines kept of the earlier calls for a list.
_KEPT_LINES = 60


@dataclass
class _Earlier:
    """What the same node has shown in this run: the host calls it once per element of a list, text replaces text."""

    key: tuple | None = None
    places: int = 0
    text: list[str] = field(default_factory=list)


_earlier = _Earlier()


def first_place() -> int:
    """Place of the first image of this call: images of earlier elements of the same list are counted."""
    global _earlier
    context = _context()
    key = context and (context.prompt_id, context.node_id)
    if not context or not context.list_index or _earlier.key != key:
        _earlier = _Earlier(key)
    return _earlier.places


def _context():
    """Which run, node and element the host is at; None on hosts that do not tell."""
    try:
        from comfy_execution.utils import get_executing_context
    except ImportError:
        return None
    return get_executing_context()


def shown(unique_id, head: str, lines: list[str], verdicts: list[dict], labels: list[str]) -> dict:
    """The `ui` of a node's answer. The text also goes to the node itself: pages draw `ui` text of few nodes only."""
    first_place()
    text = [*head.split("\n"), *shortened(lines)]
    _earlier.text = [*_earlier.text, *text][-_KEPT_LINES:]
    _earlier.places += len(verdicts)
    _send_text("\n".join(_earlier.text), unique_id)
    drawn = [plain(verdict, label) for verdict, label in zip(verdicts[:SENT_VERDICTS], labels)]
    return {"text": sanitised(text), "assay": drawn}


def _send_text(text: str, unique_id) -> None:
    """To the page that runs the workflow; to none when it was submitted without one."""
    from server import PromptServer

    server = PromptServer.instance
    client, send = getattr(server, "client_id", None), getattr(server, "send_progress_text", None)
    if client and send and unique_id is not None:
        send(_harmless(text), unique_id, client)


def _harmless(text: str) -> str:
    """Pages set this text as HTML, and a prompt may come from anybody's workflow: no tag may start in it."""
    return text.replace("<", "\u2039").replace(">", "\u203a")


def progress(total: int):
    """A function that moves the node's progress bar by so many images; it may raise the user's interrupt."""
    from comfy.utils import ProgressBar

    return ProgressBar(total).update
