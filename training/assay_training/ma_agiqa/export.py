"""Two graphs as checked ONNX files: what does not hang on the language model is there before it has answered.

    image: image uint8 [n, S, S, 3]                       -> seen [n, P]
    score: seen, semantic [n, L], coherence [n, L]        -> quality [n, 1]

P patches (784), L numbers of a state of the language model (4096).
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from assay_training.ma_agiqa.config import QUESTIONS
from assay_training.ma_agiqa.model import MaAgiqa
from assay_training.maniqa.config import BranchConfig
from assay_training.maniqa.export import IMAGE, QUALITY, example
from assay_training.onnx_export import export

SEEN = "seen"


class ImageGraph(nn.Module):
    """Image to what the expert of the patches says."""

    def __init__(self, model: MaAgiqa) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> Tensor:
        """uint8 RGB [N, side, side, 3] to [N, P]."""
        return self.model.see(image)


class ScoreGraph(nn.Module):
    """Gate and read-out."""

    def __init__(self, model: MaAgiqa) -> None:
        super().__init__()
        self.model = model

    def forward(self, seen: Tensor, semantic: Tensor, coherence: Tensor) -> Tensor:
        """[N, P] and [N, L] twice to [N, 1]."""
        return self.model.judge(seen, semantic, coherence)[:, None]


def export_graphs(model: MaAgiqa, config: BranchConfig, language: int, work: Path) -> dict[str, Path]:
    """Writes WORK/{image,score}.onnx. Raises AssertionError if onnxruntime and torch disagree."""
    model.freeze()
    paths = {name: work / f"{name}.onnx" for name in ("image", "score")}
    image = example(config)
    export(ImageGraph(model), {IMAGE: image}, [SEEN], paths["image"])
    with torch.no_grad():
        args = {SEEN: model.see(image)}
    generator = torch.Generator().manual_seed(0)
    args |= {name: torch.randn(1, language, generator=generator) for name in QUESTIONS}
    export(ScoreGraph(model), args, [QUALITY], paths["score"])
    return paths
