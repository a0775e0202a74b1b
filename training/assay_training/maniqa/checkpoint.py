"""Checkpoints of MANIQA in the authors' layout: read, and made up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from assay_training.checkpoints import CheckpointError, fit_state, looks_like, read_state, without_prefix
from assay_training.maniqa.branch import Branch
from assay_training.maniqa.config import TAPS, BranchConfig, sizes_of
from assay_training.maniqa.model import Maniqa
from assay_training.recognise import listed

MARK = "tablock1.0.c_q.weight"  # which the branch alone has
GATE = "gating.weight"  # which MA-AGIQA has on top of it
DEAD_BLOCKS = tuple(f"vit.blocks.{number}.*" for number in range(max(TAPS) + 1, 24))
DEAD = (
    *DEAD_BLOCKS, "vit.norm.*", "vit.head.*", "swintransformer[12].downsample.*",
    "*.relative_position_index", "*.attn_mask",
)  # fmt: skip
# of random weights: what is not normed grows from part to part, and sharp attention to it is no function that
# float32 can be held against
GAINS = {"c_q": 0.25, "c_k": 0.25, "conv": 0.7, "fc_weight": 0.5}
POINTWISE = ("conv1.weight", "conv2.weight")


def load(path: Path, scale: float) -> tuple[Maniqa, BranchConfig, list[str]]:
    """The net in evaluation mode, its sizes, and the keys of the file that have no effect.

    Raises CheckpointError naming file, key, expectation and finding.
    """
    state = without_prefix(read_state(path), (MARK,))
    if GATE in state:
        raise CheckpointError(
            f"{path}: this is MA-AGIQA, whose score is not its branch's: "
            "`python -m assay_training convert ma-agiqa`"
        )
    config = branch_sizes(state, path, "MANIQA")
    model = Maniqa(config, scale).eval().requires_grad_(False)
    return model, config, fit_state(model, flattened(state), path, DEAD)


def branch_sizes(state: Mapping[str, Tensor], path: Path, name: str) -> BranchConfig:
    """Sizes of the branch. Raises CheckpointError if the state holds none, or an odd one."""
    if MARK not in state:
        raise CheckpointError(
            f"{path}: no {name}: expected {MARK}, found {listed(state)}{looks_like(dict(state))}"
        )
    try:
        config = sizes_of(state)
    except (LookupError, ValueError) as error:
        raise CheckpointError(f"{path}: no {name} of a known form: {error}") from None
    if config.places > config.window and config.places % config.window:
        raise CheckpointError(
            f"{path}: windows of {config.window} patches do not fill the {config.places} of a side"
        )
    return config


def flattened(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state with convolutions of one pixel as matrices."""
    return {
        key: value.flatten(1) if key in POINTWISE and value.ndim == 4 else value
        for key, value in state.items()
    }


def random_checkpoint(config: BranchConfig, path: Path, seed: int) -> None:
    """Writes a state dict of the authors' layout, dead keys included, to compare implementations with."""
    torch.save(branch_state(Maniqa(config, 1.0), config, seed), path)


def branch_state(model: Branch, config: BranchConfig, seed: int) -> dict[str, Tensor]:
    """Random values for every tensor of a net, with scores inside 0..1, and what is stored beside them."""
    generator = torch.Generator().manual_seed(seed)
    state = {
        key: random_values(key, value, torch.randn(value.shape, generator=generator))
        for key, value in model.state_dict().items()
    }
    centre(state)
    for key in POINTWISE:
        state[key] = state[key][:, :, None, None]
    whole = Branch(replace(config, vision=replace(config.vision, depth=max(TAPS) + 3)), 1.0).vit.state_dict()
    state |= {f"vit.{key}": value for key, value in whole.items() if f"vit.{key}" not in state}
    width, window = config.vision.width, config.window**2
    state |= {"vit.norm.weight": torch.ones(width), "vit.head.weight": torch.ones(10, width)}
    for stage in (1, 2):
        name = f"swintransformer{stage}"
        state[f"{name}.downsample.weight"] = torch.zeros(width // stage, width // stage, 3, 3)
        state[f"{name}.layers.0.blocks.0.attn.relative_position_index"] = torch.zeros(window, window).long()
        state[f"{name}.layers.0.blocks.1.attn_mask"] = torch.zeros(config.patches // window, window, window)
    return state


def centre(state: Mapping[str, Tensor]) -> None:
    """Makes patches score between 0 and 1, most of them, in place."""
    state["fc_score.3.weight"].mul_(0.1)
    state["fc_score.3.bias"].fill_(0.7)


def random_values(key: str, value: Tensor, drawn: Tensor) -> Tensor:
    """Normal noise at a size that keeps activations in a sane range; attention is neither flat nor hard."""
    if "norm" in key:
        return (0.3 * drawn).exp() if key.endswith("weight") else 0.3 * drawn
    if key.endswith(("pos_embed", "cls_token", "bias_table")):
        return 0.5 * drawn
    if key.endswith("bias"):
        return 0.1 * drawn
    gain = next((gain for part, gain in GAINS.items() if part in key), 1.0)
    return drawn * gain / value[0].numel() ** 0.5
