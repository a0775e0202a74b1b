"""A tiny CLIP and its state under the names of both publishers."""

from __future__ import annotations

import torch
from torch import Tensor

from assay_training.clip.model import Clip, ClipConfig

TINY = ClipConfig(
    side=16,
    patch=4,
    width=16,
    layers=2,
    heads=2,
    text_width=12,
    text_layers=3,
    text_heads=3,
    context=10,
    vocabulary=530,
    joint=8,
)


def tiny_clip() -> Clip:
    """Random weights, none of them zero."""
    torch.manual_seed(0)
    model = Clip(TINY)
    for value in model.parameters():
        if value.ndim < 2:
            value.data.normal_(std=0.3)
    return model.eval()


def huggingface_state(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """OpenAI's names turned into those of transformers.CLIPModel."""
    found = {
        "logit_scale": state["logit_scale"],
        "visual_projection.weight": state["visual.proj"].T.contiguous(),
        "text_projection.weight": state["text_projection"].T.contiguous(),
        "text_model.embeddings.position_ids": torch.arange(TINY.context)[None],
        "text_model.embeddings.token_embedding.weight": state["token_embedding.weight"],
        "text_model.embeddings.position_embedding.weight": state["positional_embedding"],
        "vision_model.embeddings.class_embedding": state["visual.class_embedding"],
        "vision_model.embeddings.patch_embedding.weight": state["visual.conv1.weight"],
        "vision_model.embeddings.position_embedding.weight": state["visual.positional_embedding"],
    }
    for kind in ("weight", "bias"):
        found[f"text_model.final_layer_norm.{kind}"] = state[f"ln_final.{kind}"]
        found[f"vision_model.pre_layrnorm.{kind}"] = state[f"visual.ln_pre.{kind}"]
        found[f"vision_model.post_layernorm.{kind}"] = state[f"visual.ln_post.{kind}"]
        for tower, prefix, layers in (
            ("vision_model", "visual.", TINY.layers),
            ("text_model", "", TINY.text_layers),
        ):
            for index in range(layers):
                new, old = f"{tower}.encoder.layers.{index}", f"{prefix}transformer.resblocks.{index}"
                joined = state[f"{old}.attn.in_proj_{kind}"].chunk(3)
                for letter, part in zip("qkv", joined, strict=True):
                    found[f"{new}.self_attn.{letter}_proj.{kind}"] = part.clone()
                found[f"{new}.self_attn.out_proj.{kind}"] = state[f"{old}.attn.out_proj.{kind}"]
                found[f"{new}.layer_norm1.{kind}"] = state[f"{old}.ln_1.{kind}"]
                found[f"{new}.layer_norm2.{kind}"] = state[f"{old}.ln_2.{kind}"]
                found[f"{new}.mlp.fc1.{kind}"] = state[f"{old}.mlp.c_fc.{kind}"]
                found[f"{new}.mlp.fc2.{kind}"] = state[f"{old}.mlp.c_proj.{kind}"]
    return found
