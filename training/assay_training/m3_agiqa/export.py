"""One graph: hidden states of a conversation to a score."""

from __future__ import annotations

from pathlib import Path

import torch

from assay_training.m3_agiqa.config import Config
from assay_training.m3_agiqa.model import Predictor
from assay_training.onnx_export import export

STATES = "states"  # the input
EXAMPLE = 12  # positions
# What float16 would spoil: sums over positions, and logarithms that are subtracted from one another. Products
# of matrices are left.
FLOAT32 = (
    "Scan", "Sub", "Add", "Mul", "Div", "Neg", "Where", "Softplus", "Sigmoid", "ReduceMax", "ReduceSum",
    "ReduceMean", "Abs", "LayerNormalization",
)  # fmt: skip


def export_graphs(model: Predictor, config: Config, aspect: str, work: Path) -> dict[str, Path]:
    """Writes WORK/score.onnx, checked against torch; its output has the name of the aspect."""
    generator = torch.Generator().manual_seed(0)
    states = torch.randn(1, EXAMPLE, config.hidden, generator=generator)
    path = work / "score.onnx"
    export(model, {STATES: states}, [aspect], path, {STATES: {1: "positions"}})
    return {"score": path}
