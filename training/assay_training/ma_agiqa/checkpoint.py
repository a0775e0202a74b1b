"""Checkpoints of MA-AGIQA in the authors' layout: read, and made up."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from assay_training.checkpoints import (
    CheckpointError,
    columns,
    fit_state,
    looks_like,
    read_state,
    without_prefix,
)
from assay_training.ma_agiqa.model import MaAgiqa
from assay_training.maniqa.checkpoint import DEAD, GATE, MARK, branch_sizes, branch_state, flattened
from assay_training.maniqa.config import BranchConfig
from assay_training.recognise import listed

STATE = "fc4096_784_a2.0.weight"  # [patches, numbers of a state]
DEAD_HEADS = tuple(
    f"{name}.*"
    for name in (
        "fc39_784", "encoder_layer", "fc_output", "fc4096_784_a", "fc4096_784_b", "quality", "fc784x3_1",
        "fc4096_1024_a", "fc4096_1024_b",
    )
)  # fmt: skip


def load(path: Path, gate: str = "linear") -> tuple[MaAgiqa, BranchConfig, int, list[str]]:
    """The net in evaluation mode, sizes of its branch, numbers of a state, and keys without effect.

    Raises CheckpointError naming file, key, expectation and finding.
    """
    state = without_prefix(read_state(path), (MARK,))
    for key in (GATE, STATE):
        if key not in state:
            raise CheckpointError(
                f"{path}: no MA-AGIQA: expected {key}, found {listed(state)}{looks_like(state)}"
            )
    config = branch_sizes(state, path, "MA-AGIQA")
    language = columns(state, STATE, path)
    model = MaAgiqa(config, language, gate).eval().requires_grad_(False)
    return model, config, language, fit_state(model, flattened(state), path, (*DEAD, *DEAD_HEADS))


def random_checkpoint(config: BranchConfig, language: int, path: Path, seed: int) -> None:
    """Writes a state dict of the authors' layout, dead keys included, to compare implementations with.

    Scores lie inside 0..5 and depend on the image and on both states.
    """
    state = branch_state(MaAgiqa(config, language), config, seed)
    centre_mix(state)
    places = config.patches
    dead = {
        "fc_output.0.weight": (places // 2, places),
        "fc4096_1024_a.bias": (1024,),
        "quality.1.bias": (1,),
    }
    state |= {key: torch.zeros(shape) for key, shape in dead.items()}
    torch.save(state, path)


def centre_mix(state: Mapping[str, Tensor]) -> None:
    """Makes scores lie around 2.5, in place."""
    state["output_fc.weight"].mul_(1.2)
    state["output_fc.bias"].fill_(2.5)
