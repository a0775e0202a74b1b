"""Reads ImageReward.pt and what AAPMT trains from it, and writes the same layout with random weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from assay_training.aapmt.config import Config
from assay_training.aapmt.metric import OUTPUTS, DeclaredMetricTransformer
from assay_training.aapmt.model import ImageReward, Reward
from assay_training.checkpoints import fit_state, read_state, without_prefix

METRIC = "ImageAssessmentModel"
LIVE = "mlp.layers.0.weight"  # which all of them have
PROJECTION = 256  # width of BLIP's two unused projections
DEAD = ("blip.vision_proj.*", "blip.text_proj.*", "blip.text_encoder.embeddings.position_ids")
DEAD_IN_METRIC = ("mlp.layers.*", f"{METRIC}.wq_*", f"{METRIC}.wk_*")
BIAS = 14.0  # length of the last bias of a random Metric Transformer
PARTLY_DEAD = tuple(f"{METRIC}.encoder.self_attn.in_proj_{part}" for part in ("weight", "bias"))


@dataclass(frozen=True)
class Checkpoint:
    """A model as it was stored; `dead` says which of its keys have no effect, some of them in part."""

    model: ImageReward
    dead: list[str]


def load(path: Path, config: Config) -> Checkpoint:
    """ImageReward, or one with a Metric Transformer if the file holds one.

    A reward that was tuned to an aspect has the keys and shapes of ImageReward.pt: the file cannot tell
    them apart. Raises CheckpointError.
    """
    state = without_prefix(read_state(path), (LIVE,))
    metric = any(key.startswith(f"{METRIC}.") for key in state)
    model = ImageReward(config, metric).eval().requires_grad_(False)
    dead = fit_state(model, state, path, (*DEAD, *DEAD_IN_METRIC) if metric else DEAD)
    if metric:
        dead += [f"{key} (queries and keys)" for key in PARTLY_DEAD]
    return Checkpoint(model, dead)


def random_checkpoint(config: Config, path: Path, seed: int, metric_transformer: bool = False) -> None:
    """Writes a state dict of the published layout, dead keys included, to compare implementations with.

    Features depend on image and text, and scores lie around 1.5, so that no range cuts them off.
    """
    generator = torch.Generator().manual_seed(seed)
    state = {
        key: _random(key, value, generator) for key, value in _layout(config, metric_transformer).items()
    }
    state |= {f"mlp.{key}": value for key, value in _centred(state, config).items()}
    if metric_transformer:
        centre_metric(state)
    torch.save(state, path)


def _layout(config: Config, metric: bool) -> dict[str, Tensor]:
    """Tensors of the right shapes by their published keys."""
    state = ImageReward(config).state_dict()
    for name, width in (("vision_proj", config.vision.width), ("text_proj", config.text.width)):
        state[f"blip.{name}.weight"] = torch.empty(PROJECTION, width)
        state[f"blip.{name}.bias"] = torch.empty(PROJECTION)
    state["blip.text_encoder.embeddings.position_ids"] = torch.arange(config.text.positions)[None]
    if metric:
        declared = DeclaredMetricTransformer(config).state_dict()
        state |= {f"{METRIC}.{key}": value for key, value in declared.items()}
    return state


def _random(key: str, value: Tensor, generator: torch.Generator) -> Tensor:
    """Values that keep activations in a sane range; attention is neither flat nor hard."""
    if not value.is_floating_point():
        return value
    drawn = torch.randn(value.shape, generator=generator)
    if "norm" in key.lower():
        return (0.3 * drawn).exp() if key.endswith("weight") else 0.3 * drawn
    if key.endswith(("bias", "pos_embed", "cls_token")):
        return 0.5 * drawn
    if "embeddings." in key:
        return drawn
    return drawn * 1.5 / value[0].numel() ** 0.5


@torch.no_grad()
def _centred(state: dict[str, Tensor], config: Config) -> dict[str, Tensor]:
    """The reward with another last layer: mean 1.5, deviation 0.5 for standardised features."""
    reward = Reward(config)
    reward.load_state_dict({key: state[f"mlp.{key}"] for key in reward.state_dict()})
    last = reward.layers[-1]
    last.weight *= 0.5 / reward.collapsed().weight.norm()
    last.bias += 1.5 - reward.collapsed().bias
    return reward.state_dict()


def centre_metric(state: dict[str, Tensor]) -> None:
    """Makes the last bias score 1.5, in place, and large beside what varies: scores lie around that."""
    bias = state[f"{METRIC}.encoder.linear2.bias"]
    bias *= BIAS / bias.norm()
    for output in OUTPUTS:
        value = state[f"{METRIC}.wv_{output}"]
        value *= 0.3
        value += torch.outer(bias, 1.5 - bias @ value) / BIAS**2
