"""Checkpoints in upstream's layout: read, written, made from CLIP weights, and made up."""

from __future__ import annotations

import fnmatch
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from assay_training.acl_iqa.config import AclConfig
from assay_training.acl_iqa.experts import DifferenceConv
from assay_training.acl_iqa.model import AclIqa, MoeBlock
from assay_training.checkpoints import (
    CheckpointError,
    fit_state,
    looks_like,
    read_state,
    without_prefix,
)
from assay_training.clip.model import Attention
from assay_training.clip.weights import check_name, check_sizes, read_clip
from assay_training.recognise import listed

PREFIX = "model."
DEAD = tuple(f"encoder.vision_resblocks.*.adapter_MoE.{name}" for name in ("mean", "std", "w_noise"))
GATE = "encoder.vision_resblocks.1.adapter_MoE.w_gate"
MARKS = {f"{GATE}_col": "acl", GATE: "conv-moe"}  # keys that only one variant has


def load_checkpoint(path: Path, config: AclConfig | None = None) -> tuple[AclIqa, list[str]]:
    """The net in float32, in evaluation mode, and the keys of the file that have no effect on scores.

    The variant is the file's, all else the config's. Raises CheckpointError naming file, key, expectation and
    finding.
    """
    state = without_prefix(read_state(path), MARKS)
    model = AclIqa(replace(config or AclConfig(), variant=_variant(state, path)))
    check_name(state, model.config.clip, path, "its CLIP is")
    dead = DEAD if model.config.variant == "acl" else (*DEAD, "theta")
    without_effect = [key for key in state if _matches(key, dead)]
    known = {key: value for key, value in model.state_dict().items() if _matches(key, dead)}
    fit_state(model, known | state, path)
    return model.eval(), without_effect


def write_checkpoint(model: AclIqa, path: Path, half: bool = False, **more: object) -> None:
    """Writes `model_state_dict` with upstream's keys, and `more` beside it, in one step.

    half: linear layers, convolutions and attention in fp16, as upstream stores them; rounds weights.
    """
    halved = half_keys(model) if half else set()
    state = {
        PREFIX + key: value.detach().cpu().to(torch.float16 if key in halved else torch.float32)
        for key, value in model.state_dict().items()
    }
    draft = path.with_name(path.name + ".part")
    torch.save({"model_state_dict": state, **more}, draft)
    draft.replace(path)


def half_keys(model: AclIqa) -> set[str]:
    """Keys that upstream stores in fp16."""
    found = {"text_projection"}
    for name, module in model.named_modules():
        if isinstance(module, (nn.Linear, nn.Conv2d, DifferenceConv, Attention)):
            found |= {f"{name}.{key}" for key, _ in module.named_parameters(recurse=False)}
    return found


def from_clip(path: Path, config: AclConfig | None = None) -> AclIqa:
    """A net before its training: CLIP's weights on every path, gates and experts without effect.

    Raises CheckpointError if `path` is no CLIP of the config's sizes.
    """
    model, clip = AclIqa(config), read_clip(path)
    check_sizes(clip, model.config.clip, path)
    state = {key: clip[source] for key, source in _sources(model).items() if source in clip}
    own = {key: value for key, value in model.state_dict().items() if _is_new(key)}
    missing = [source for key, source in _sources(model).items() if source not in clip and not _is_new(key)]
    if missing:
        raise CheckpointError(f"{path}: {missing[0]} is missing")
    fit_state(model, own | state, path)
    return model


def random_checkpoint(config: AclConfig, path: Path, seed: int) -> None:
    """Writes a checkpoint in upstream's layout, fp16 where upstream has it, with random weights.

    Experts and gates are far from zero, so that all parts matter and the choice of experts is decided.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AclIqa(config)
        for name, value in model.named_parameters():
            with torch.no_grad():
                if name.endswith("bias"):
                    value.normal_(std=0.1)
                elif "w_gate" in name or "w_noise" in name:
                    value.normal_()
                elif name.endswith("adapter_up.weight"):
                    value.normal_(std=config.bottleneck**-0.5)
                elif "ln_" in name:
                    value.normal_(1, 0.1)
        for block in model.encoder.vision_resblocks:
            if isinstance(block, MoeBlock):
                block.cross_attn.out_proj.weight.data.mul_(3)
        model.theta.data.fill_(0.4)
        model.logit_scale.data.fill_(3.0)  # 100 would leave most grades without probability
    write_checkpoint(model, path, half=True)


def _sources(model: AclIqa) -> dict[str, str]:
    """OpenAI's key for each of the net's keys; keys of new parts get names that no CLIP has."""
    found = {}
    for key in model.state_dict():
        name = key.replace("_col", "").replace("_adv", "")
        if name.startswith("encoder.text_resblocks."):
            name = "transformer.resblocks." + name.removeprefix("encoder.text_resblocks.")
        elif name.startswith("encoder.vision_resblocks."):
            name = "visual.transformer.resblocks." + name.removeprefix("encoder.vision_resblocks.")
        elif name == "text_positional_embedding":
            name = "positional_embedding"
        elif name.split(".")[0] in VISUAL:
            name = f"visual.{name}"
        found[key] = name
    return found


VISUAL = ("class_embedding", "positional_embedding", "conv1", "ln_pre", "ln_post", "proj")


def _is_new(key: str) -> bool:
    return key == "theta" or ".cross_attn." in key or ".adapter_MoE." in key


def _variant(state: dict[str, Tensor], path: Path) -> str:
    for key, variant in MARKS.items():
        if key in state:
            return variant
    raise CheckpointError(
        f"{path}: no ACL-IQA: expected gates ({GATE}…), found {listed(state)}{looks_like(state)}"
    )


def _matches(key: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(key, pattern) for pattern in patterns)
