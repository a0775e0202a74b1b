"""Hugging Face's names for CLIP's tensors, turned into OpenAI's."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from torch import Tensor

from assay_training.checkpoints import CheckpointError

TOWERS = {"vision_model": "visual.", "text_model": ""}
PLAIN = {
    "vision_model.embeddings.class_embedding": "visual.class_embedding",
    "vision_model.embeddings.patch_embedding.weight": "visual.conv1.weight",
    "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
    "vision_model.pre_layrnorm": "visual.ln_pre",  # spelt so in the files
    "vision_model.post_layernorm": "visual.ln_post",
    "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "text_model.final_layer_norm": "ln_final",
    "logit_scale": "logit_scale",
}
TURNED = {"visual_projection.weight": "visual.proj", "text_projection.weight": "text_projection"}
PARTS = {
    "self_attn.out_proj": "attn.out_proj",
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}
LAYER = re.compile(r"(vision_model|text_model)\.encoder\.layers\.(\d+)\.(.+)\.(weight|bias)")
QKV = tuple(f"self_attn.{letter}_proj" for letter in "qkv")


def is_huggingface(state: dict[str, Tensor]) -> bool:
    """Whether the keys are Hugging Face's."""
    return any(key.startswith(tuple(f"{tower}." for tower in TOWERS)) for key in state)


def to_openai(state: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """The same tensors under OpenAI's names; query, key and value matrices are joined.

    Raises CheckpointError for keys that are no CLIP's; `path` is for the message.
    """
    found: dict[str, Tensor] = {}
    for key, value in state.items():
        if key.endswith("position_ids"):
            continue
        layer = LAYER.fullmatch(key)
        if layer is None:
            _put(found, key, value, path)
            continue
        tower, index, part, kind = layer.groups()
        base = f"{TOWERS[tower]}transformer.resblocks.{index}"
        if part == QKV[0]:
            found[f"{base}.attn.in_proj_{kind}"] = _joined(
                state, f"{tower}.encoder.layers.{index}", kind, path
            )
        elif part in PARTS:
            found[f"{base}.{PARTS[part]}.{kind}"] = value
        elif part not in QKV:
            raise CheckpointError(f"{path}: {key}: no tensor of a CLIP")
    return found


def _put(found: dict[str, Tensor], key: str, value: Tensor, path: Path) -> None:
    stem, _, kind = key.rpartition(".")
    if key in TURNED:
        found[TURNED[key]] = value.T.contiguous()
    elif key in PLAIN:
        found[PLAIN[key]] = value
    elif stem in PLAIN:
        found[f"{PLAIN[stem]}.{kind}"] = value
    else:
        raise CheckpointError(f"{path}: {key}: no tensor of a CLIP")


def _joined(state: dict[str, Tensor], base: str, kind: str, path: Path) -> Tensor:
    keys = [f"{base}.{part}.{kind}" for part in QKV]
    missing = [key for key in keys if key not in state]
    if missing:
        raise CheckpointError(f"{path}: {missing[0]} is missing")
    return torch.cat([state[key] for key in keys])
