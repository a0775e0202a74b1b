"""MANIQA with random weights, for the daemon to be held against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image

from assay_training.blip.vision import VisionConfig
from assay_training.case import Case
from assay_training.maniqa.checkpoint import load, random_checkpoint
from assay_training.maniqa.config import SETS, BranchConfig
from assay_training.maniqa.package import prepare
from assay_training.prepare import prepare as prepared

TINY = BranchConfig(
    VisionConfig(side=32, patch=4, width=128, depth=10, heads=2, hidden=96), heads=(2, 4), hidden=56
)
# with one layer a stage: an export takes the longer, the more layers there are
SMALL = replace(TINY, tabs=1, heads=(2,), blocks=(2,))
BY_VIEW = {"whole": "koniq10k", "windows": "pipal22"}


def maniqa(view: str) -> Callable[[str, Path, int], Case]:
    """MANIQA of the whole of an image, or of windows."""

    def case(size: str, work: Path, seed: int) -> Case:
        path, trained_on = work / "checkpoint.pt", BY_VIEW[view]
        random_checkpoint(SMALL if size == "tiny" else BranchConfig(), path, seed)
        system = prepare(path, work / "graphs", trained_on=trained_on)
        if view == "windows":
            system = replace(system, manifest=system.manifest | {"id": "maniqa-windows"})
        spec = {"dtype": "uint8", **system.manifest["image"]}
        model, _, _ = load(path, SETS[trained_on].scale)

        def judge(image: Image.Image, prompt: str) -> dict[str, float]:
            views = torch.tensor(prepared(image, spec)[spec["input"]])
            views = views if view == "windows" else views[None]
            return {"quality": sum(float(model(one[None])) for one in views) / len(views)}

        return Case(system, judge)

    return case
