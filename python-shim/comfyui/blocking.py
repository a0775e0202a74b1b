"""Outputs that hold back what is connected to them."""

from __future__ import annotations


def blocker():
    """Silent: a message would open an error dialog on every page."""
    from comfy_execution.graph_utils import ExecutionBlocker

    return ExecutionBlocker(None)


def or_blocked(values: list) -> list:
    """The same list with a blocker for each None; a list must not be empty, or the host cannot take it apart."""
    return [blocker() if value is None else value for value in values] or [blocker()]
