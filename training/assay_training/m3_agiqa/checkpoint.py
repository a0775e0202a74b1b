"""Reads the released predictors, and writes their layout with random weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from assay_training.checkpoints import CheckpointError, fit_state, looks_like, read_state, without_prefix
from assay_training.m3_agiqa.config import Config
from assay_training.m3_agiqa.lm_head import read_lm_head
from assay_training.m3_agiqa.model import Predictor
from assay_training.m3_agiqa.xlstm import GATES

LOGITS = "W"  # upstream's map of logits
DEAD = ("model.*", "metrics_calculator.*", "*.causal_mask")  # the language model, metrics, constants
KERNEL, BIAS = "_recurrent_kernel_", "_bias_"
CHUNK = 8192  # words that are multiplied at once


@dataclass(frozen=True)
class Checkpoint:
    """A predictor as it was stored; `dead` says which of its keys have no effect."""

    model: Predictor
    dead: list[str]
    backend: str  # that laid out the scalar memory's weights: cuda or vanilla


def load(path: Path, lm_head: Path, config: Config) -> Checkpoint:
    """A predictor on hidden states. lm_head: as for read_lm_head. Raises CheckpointError."""
    live = [f"{LOGITS}.weight", *Predictor(config).state_dict()]
    state = without_prefix(read_state(path), live)
    for name, shape in (
        (f"{LOGITS}.weight", (config.width, config.vocabulary)),
        (f"{LOGITS}.bias", (config.width,)),
    ):
        found = state.get(name)
        if found is None:
            raise CheckpointError(f"{path}: key {name} missing{looks_like(state)}")
        if tuple(found.shape) != shape:
            raise CheckpointError(f"{path}: {name}: expected shape {shape}, found {tuple(found.shape)}")
    head = read_lm_head(lm_head, config.vocabulary, config.hidden)
    state["map.weight"] = fused(state.pop(f"{LOGITS}.weight"), head)
    state["map.bias"] = state.pop(f"{LOGITS}.bias")
    state, backend = as_cuda(state, config)
    model = Predictor(config).eval().requires_grad_(False)
    return Checkpoint(model, fit_state(model, state, path, DEAD), backend)


def fused(map_: Tensor, head: Tensor) -> Tensor:
    """[width, words] after [words, hidden] as one map [width, hidden], summed in float64."""
    total = torch.zeros(len(map_), head.shape[1], dtype=torch.float64)
    for start in range(0, len(head), CHUNK):
        part = slice(start, start + CHUNK)
        total += (map_[:, part].float() @ head[part].float()).double()
    return total.float()


def as_cuda(state: dict[str, Tensor], config: Config) -> tuple[dict[str, Tensor], str]:
    """The state with the scalar memory's weights as the CUDA backend lays them out, and which backend did.

    CUDA: kernel [heads, in, gate out], bias by head and then by gate. Vanilla: [heads, gate out, in], bias by
    gate and then by head.
    """
    size, found, backend = config.width // config.heads, dict(state), "cuda"
    for key, value in state.items():
        if not key.endswith(KERNEL) or tuple(value.shape) != (config.heads, GATES * size, size):
            continue
        backend, bias = "vanilla", key.removesuffix(KERNEL) + BIAS
        found[key] = value.mT.contiguous()
        if bias in state and state[bias].numel() == GATES * config.width:
            found[bias] = state[bias].view(GATES, config.heads, size).transpose(0, 1).flatten()
    return found, backend


def random_checkpoint(config: Config, path: Path, lm_head: Path, seed: int) -> None:
    """Writes a checkpoint with a dead key, and a language model's folder with little but its head.

    Scores depend on the states, and lie around 2.5.
    """
    generator = torch.Generator().manual_seed(seed)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    state = {key: _random(key, value.shape, drawn) for key, value in Predictor(config).state_dict().items()}
    del state["map.weight"]
    state[f"{LOGITS}.bias"] = state.pop("map.bias")
    state[f"{LOGITS}.weight"] = drawn(config.width, config.vocabulary) / config.vocabulary**0.5
    state["fc.2.bias"] = torch.tensor([2.5])
    wrapped = {f"model.{key}": value for key, value in state.items()}
    wrapped["metrics_calculator.pearsonr.mean_x"] = torch.zeros(1)
    torch.save({"state_dict": wrapped, "epoch": 0}, path)
    lm_head.mkdir(parents=True, exist_ok=True)
    head = drawn(config.vocabulary, config.hidden) / config.hidden**0.5
    tensors = {"llm.lm_head.weight": head.half(), "llm.model.norm.weight": torch.ones(config.hidden).half()}
    save_file(tensors, lm_head / "model.safetensors")


def _random(key: str, shape: torch.Size, drawn) -> Tensor:
    """Values that keep activations in a sane range, and gates open in part."""
    if key.endswith("fgate.bias"):
        return 3 + drawn(*shape)  # most is kept, as after training
    if key.endswith(("norm.weight", "bias", BIAS)):
        return 0.2 * drawn(*shape)
    if key.endswith("learnable_skip"):
        return 1 + 0.2 * drawn(*shape)
    inputs = shape[-1] if not key.endswith(KERNEL) else shape[1]
    return drawn(*shape) / max(1, inputs) ** 0.5
