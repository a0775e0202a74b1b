"""Images and calls as the tests need them."""

from __future__ import annotations

import time

import torch

GATE = {
    "aspect": "quality",
    "measure": "percentile",
    "threshold": 0.5,
    "unsure_within_interval": False,
    "unsure": "accept",
    "on_failure": "pass",
}


def greys(*shares: float, size: int = 8, channels: int = 3) -> torch.Tensor:
    """A batch [B, size, size, channels] of flat greys."""
    return torch.tensor(shares)[:, None, None, None].expand(-1, size, size, channels).clone()


def gate(nodes, images, **changes):
    """Runs a gate the way the host does: with a list for each input."""
    batches = images if isinstance(images, list) else [images]
    inputs = {**GATE, "unique_id": "7", **changes}
    return nodes.AssayGate().run(batches, **{name: v if isinstance(v, list) else [v] for name, v in inputs.items()})


def places(nodes, images, **changes):
    """The images that leave by each of its outputs."""
    return [shape_of(output) for output in gate(nodes, images, **changes)["result"][:3]]


def shape_of(outputs: list) -> list:
    """None for blockers, else the mean of the tensor or the value itself."""
    return [None if hasattr(o, "message") else round(float(torch.as_tensor(o).float().mean()), 2) for o in outputs]


def until(condition, seconds: float = 5.0) -> None:
    """Waits until something holds; fails when it does not come true in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)
