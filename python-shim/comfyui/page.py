"""What a node shows: text that any frontend draws, and plain data for `web/assay.js`."""

from __future__ import annotations

from .report import SENT_VERDICTS, plain, sanitised, shortened


def shown(unique_id, head: str, lines: list[str], ends: list[str], verdicts: list[dict], labels: list[str]) -> dict:
    """The `ui` of a node's answer. The text also goes to the node itself: pages draw `ui` text of few nodes only."""
    text = [*head.split("\n"), *shortened(lines), *ends]
    _send_text("\n".join(text), unique_id)
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
