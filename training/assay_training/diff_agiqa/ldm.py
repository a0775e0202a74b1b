"""Names of a single-file Stable Diffusion checkpoint, turned into those of diffusers' folders."""

from __future__ import annotations

import re

from torch import Tensor

UNET, VAE, TEXT = "model.diffusion_model.", "first_stage_model.", "cond_stage_model.transformer."
LEVEL = 3  # blocks of a level of the UNet: two resnets and a change of size, or three resnets
RESNET = {  # parts of a resnet of the UNet
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
    "skip_connection": "conv_shortcut",
}
UNET_PLAIN = {
    "time_embed.0": "time_embedding.linear_1",
    "time_embed.2": "time_embedding.linear_2",
    "input_blocks.0.0": "conv_in",
    "out.0": "conv_norm_out",
    "out.2": "conv_out",
}
VAE_PARTS = (
    (r"mid\.block_1\.", "mid_block.resnets.0."),
    (r"mid\.block_2\.", "mid_block.resnets.1."),
    (r"mid\.attn_1\.norm\.", "mid_block.attentions.0.group_norm."),
    (r"mid\.attn_1\.([qkv])\.", r"mid_block.attentions.0.to_\1."),
    (r"mid\.attn_1\.proj_out\.", "mid_block.attentions.0.to_out.0."),
    (r"down\.(\d+)\.block\.", r"down_blocks.\1.resnets."),
    (r"down\.(\d+)\.downsample\.", r"down_blocks.\1.downsamplers.0."),
    (r"nin_shortcut", "conv_shortcut"),
    (r"encoder\.norm_out", "encoder.conv_norm_out"),
)
OLD_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}


def part(state: dict[str, Tensor], start: str) -> dict[str, Tensor]:
    """What lies below a prefix, without it."""
    return {key[len(start) :]: value for key, value in state.items() if key.startswith(start)}


def unet_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Of the UNet; names that are not known stay as they are."""
    return {_unet_name(key): value for key, value in state.items()}


def _unet_name(key: str) -> str:
    stem, _, kind = key.rpartition(".")
    if stem in UNET_PLAIN:
        return f"{UNET_PLAIN[stem]}.{kind}"
    found = re.fullmatch(r"(input_blocks|output_blocks)\.(\d+)\.(\d)\.(.+)|middle_block\.(\d)\.(.+)", key)
    if not found:
        return key
    side, block, place, rest, middle, middle_rest = found.groups()
    if middle:
        name = "attentions.0" if middle == "1" else f"resnets.{int(middle) // 2}"
        return f"mid_block.{name}.{_resnet_part(middle_rest)}"
    level, number = divmod(int(block) - (side == "input_blocks"), LEVEL)
    where = f"{'down' if side == 'input_blocks' else 'up'}_blocks.{level}"
    if rest.startswith("op."):
        return f"{where}.downsamplers.0.conv.{rest[3:]}"
    if rest.startswith("conv."):
        return f"{where}.upsamplers.0.{rest}"
    return f"{where}.{'resnets' if place == '0' else 'attentions'}.{number}.{_resnet_part(rest)}"


def _resnet_part(rest: str) -> str:
    stem, _, kind = rest.rpartition(".")
    return f"{RESNET.get(stem, stem)}.{kind}"


def vae_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Of the VAE's encoder, from single files and from diffusers' older names for its attention."""
    found = {}
    for key, value in state.items():
        for pattern, name in VAE_PARTS:
            key = re.sub(pattern, name, key)
        found_old = re.fullmatch(r"(.*mid_block\.attentions\.0)\.(\w+)\.(weight|bias)", key)
        if found_old and found_old[2] in OLD_ATTENTION:
            key = f"{found_old[1]}.{OLD_ATTENTION[found_old[2]]}.{found_old[3]}"
        is_layer = ".attentions.0.to_" in key and value.ndim == 4
        found[key] = value[:, :, 0, 0] if is_layer else value  # 1 x 1 convolutions in single files
    return found
