"""From a checkpoint to what a model folder is made of: graph, manifest and card."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from assay_training.convert import System
from assay_training.maniqa.card import card
from assay_training.maniqa.checkpoint import load
from assay_training.maniqa.config import SETS, VIEWS, BranchConfig
from assay_training.maniqa.export import IMAGE, QUALITY, WINDOWS, export_graph

VERSION = "1.0.0"
RANGE = (0.0, 1.0)  # to which the authors bring the ratings of every set
COUNTS = (5, 1)  # windows; the authors look at five when they evaluate, at 20 when they show one image
STRIDE = 48  # pixels between neighbouring windows: every column of common sizes gets some


def prepare(
    checkpoint: Path,
    work: Path,
    *,
    trained_on: str,
    view: str | None = None,
    scale: float | None = None,
    limits: tuple[float, float] = RANGE,
) -> System:
    """Writes the graph into WORK, which is made.

    trained_on: of SETS; says what is not in the file. view: of VIEWS, and scale of what a layer of windows
    adds, if others than that set's. limits: lowest and highest score. Raises CheckpointError for files that
    do not fit, ValueError for unknown options.
    """
    for option, value, known in (("trained_on", trained_on, SETS), ("view", view, (None, *VIEWS))):
        if value not in known:
            raise ValueError(f"{option}: expected one of {', '.join(map(str, known))}, found {value}")
    if not limits[0] < limits[1]:
        raise ValueError(f"range: expected the lowest score before the highest, found {limits}")
    given = {"view": view, "scale": scale}
    reading = replace(SETS[trained_on], **{name: one for name, one in given.items() if one is not None})
    work.mkdir(parents=True, exist_ok=True)
    model, config, dead = load(checkpoint, reading.scale)
    return System(
        graphs=export_graph(model, config, reading.view, work),
        tokenizer=None,
        manifest=manifest_of(config, reading.view, limits),
        card=card(reading, limits, dead),
        windows=COUNTS if reading.view == "windows" else (),
    )


def manifest_of(config: BranchConfig, view: str, limits: tuple[float, float]) -> dict:
    """All of the manifest that does not depend on files."""
    quality = {"output": QUALITY, "kind": "mean", "range": list(limits), "needsPrompt": False}
    return {
        "id": "maniqa",
        "version": VERSION,
        "title": "MANIQA",
        "description": "Technical quality of an image, without its prompt (MANIQA).",
        "license": "Apache-2.0",
        "source": "IIGROUP/MANIQA on GitHub; converted: python -m assay_training convert maniqa",
        "image": image_spec(config, view),
        "text": None,
        "graphs": [{"graph": "score", "per": "pair"}],
        "aspects": {"quality": quality, "alignment": None, "authenticity": None},
        "reward": {"weights": {"quality": 1}},
        "maxBatch": 8 if view == "whole" else 2,  # channels of five windows attend in 0.2 GB a step
        "cpuMaxBatch": 1,
    }


def image_spec(config: BranchConfig, view: str) -> dict:
    """The manifest's `image`: the whole, squeezed as OpenCV does it, or windows at its own size."""
    side = config.vision.side
    rule = {"count": COUNTS[0], "stride": STRIDE, "largeStride": STRIDE, "largeSide": 1024, "enlargeTo": side}
    whole = {"input": IMAGE, "resize": "stretch", "kernel": "opencv-cubic"}
    windows = {"input": WINDOWS, "resize": "windows", "kernel": "pillow-linear", "windows": rule}
    return {
        "width": side,
        "height": side,
        **(whole if view == "whole" else windows),
        "layout": "nhwc",
        "dtype": "uint8",
        "minSide": 64,
        "maxAspectRatio": 4,
    }
