"""The net as one checked ONNX file.

    score: image uint8 [n, S, S, 3], or windows uint8 [n, W, S, S, 3] -> quality [n, 1]

The number of windows W is free.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from assay_training.maniqa.config import BranchConfig
from assay_training.maniqa.model import Maniqa
from assay_training.onnx_export import export

IMAGE, WINDOWS, QUALITY = "image", "windows", "quality"


class WholeGraph(nn.Module):
    """The image as one view."""

    def __init__(self, model: Maniqa) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> Tensor:
        """uint8 RGB [N, side, side, 3] to [N, 1]."""
        return self.model(image)[:, None]


class WindowsGraph(nn.Module):
    """The mean over windows."""

    def __init__(self, model: Maniqa) -> None:
        super().__init__()
        self.model = model

    def forward(self, windows: Tensor) -> Tensor:
        """uint8 RGB [N, W, side, side, 3] to [N, 1]."""
        scores = self.model(windows.flatten(0, 1))
        return scores.unflatten(0, windows.shape[:2]).mean(1, keepdim=True)


def export_graph(model: Maniqa, config: BranchConfig, view: str, work: Path) -> dict[str, Path]:
    """Writes WORK/score.onnx; view: of VIEWS. Raises AssertionError if onnxruntime and torch disagree."""
    model.freeze()
    path = work / "score.onnx"
    if view == "whole":
        export(WholeGraph(model), {IMAGE: example(config)}, [QUALITY], path)
    else:
        two = torch.stack([example(config, 1), example(config, 2)], 1)
        export(WindowsGraph(model), {WINDOWS: two}, [QUALITY], path, free={WINDOWS: {1: "windows"}})
    return {"score": path}


def example(config: BranchConfig, seed: int = 0) -> Tensor:
    """uint8 [1, side, side, 3] of noise."""
    generator, side = torch.Generator().manual_seed(seed), config.vision.side
    return torch.randint(256, (1, side, side, 3), generator=generator, dtype=torch.uint8)
