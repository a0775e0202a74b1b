"""The name of a CLIP, by the shapes of its tensors."""

from __future__ import annotations

import math
from collections.abc import Mapping

from torch import Tensor

WIDTHS = {768: "B", 1024: "L", 1280: "H", 1408: "g", 1664: "bigG"}  # of vision transformers
PLAIN = 224  # pixels a side; others are part of the name
RESNETS = {  # blocks of the four layers, and the size of the joint space
    (3, 4, 6, 3, 1024): "RN50",
    (3, 4, 23, 3, 512): "RN101",
    (4, 6, 10, 6, 640): "RN50x4",
    (6, 8, 18, 8, 768): "RN50x16",
    (3, 15, 36, 10, 1024): "RN50x64",
}
HUGGINGFACE = "vision_model.embeddings."
# names of OpenAI, of Hugging Face, and of ACL-IQA
PATCHES = ("visual.conv1.weight", f"{HUGGINGFACE}patch_embedding.weight", "conv1.weight")
POSITIONS = (
    "visual.positional_embedding",
    f"{HUGGINGFACE}position_embedding.weight",
    "positional_embedding",
)


def clip_name(state: Mapping[str, Tensor]) -> str | None:
    """As OpenAI calls it, such as `ViT-B/32` or `RN50`; None if it is no CLIP or has other sizes."""
    if "visual.layer1.0.conv1.weight" in state:
        return _resnet(state)
    for patches, positions in zip(PATCHES, POSITIONS, strict=True):
        if patches in state and positions in state:
            return vit_name(tuple(state[patches].shape), len(state[positions]))
    return None


def vit_name(patches: tuple[int, ...], positions: int) -> str | None:
    """Of the shape of the first convolution and the number of positions, the class's included."""
    width, patch = patches[0], patches[-1]
    side = math.isqrt(max(positions - 1, 0)) * patch
    if width not in WIDTHS or len(patches) != 4:
        return None
    return f"ViT-{WIDTHS[width]}/{patch}{'' if side == PLAIN else f'@{side}'}"


def _resnet(state: Mapping[str, Tensor]) -> str:
    blocks = (
        len({key.split(".")[2] for key in state if key.startswith(f"visual.layer{number}.")})
        for number in range(1, 5)
    )
    joint = state["text_projection"].shape[1] if "text_projection" in state else 0
    return RESNETS.get((*blocks, joint), "with a ResNet")
