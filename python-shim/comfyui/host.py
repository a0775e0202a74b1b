"""The workflow that runs, as the host keeps it, and the classes of its nodes."""

from __future__ import annotations

from .arrangement import Workflow


def workflow_around(dynprompt) -> Workflow | None:
    """The whole workflow, with the nodes that were made during the run; None where the host does not tell."""
    if dynprompt is None:
        return None
    nodes = {node_id: dynprompt.get_node(node_id) for node_id in dynprompt.all_node_ids()}
    parents = {node_id: parent for node_id in nodes if (parent := dynprompt.get_parent_node_id(node_id))}
    return Workflow(nodes, _classes(), parents)


def running_workflow(node_id) -> Workflow | None:
    """The same before the run of its nodes, when the host asks what has changed and tells nothing itself."""
    from server import PromptServer

    queue = getattr(PromptServer.instance, "prompt_queue", None)
    look = getattr(queue, "get_current_queue_volatile", None) or getattr(queue, "get_current_queue", None)
    running = look()[0] if look else []
    graphs = [item[2] for item in running if len(item) > 2 and node_id in item[2]]
    return Workflow(graphs[0], _classes()) if graphs else None


def _classes() -> dict:
    from nodes import NODE_CLASS_MAPPINGS

    return NODE_CLASS_MAPPINGS
