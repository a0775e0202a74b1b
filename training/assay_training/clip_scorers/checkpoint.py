"""Reads the weights of a preset, and writes random ones in the published layouts."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import Tensor, nn

from assay_training.affine import AffineLayers
from assay_training.checkpoints import CheckpointError, fit_state, looks_like, read_state, without_prefix
from assay_training.clip.model import Clip, ClipConfig, normalised, unit
from assay_training.clip_scorers.presets import HEAD_WIDTHS

FIRST = "layers.0.weight"  # of the head
SCALE = 12.0  # exponential of the scale of random weights: no share is near 0 or 1
MOST_SCALE = 1000.0
COSINE = 0.25  # mean of images and texts with random weights
FEW = 6  # of both, by which random weights are brought there


def load_head(path: Path, joint: int) -> nn.Linear:
    """LAION's layers as one, for embeddings of `joint` numbers. Raises CheckpointError."""
    state = without_prefix(read_state(path), (FIRST,))
    if FIRST not in state:
        raise CheckpointError(
            f"{path}: no aesthetic predictor: expected {FIRST} {(HEAD_WIDTHS[0], joint)}, found no such "
            f"key{looks_like(state)}"
        )
    width = state[FIRST].shape[-1] if state[FIRST].ndim else 0
    if width != joint:
        raise CheckpointError(
            f"{path}: {FIRST}: expected {joint} columns, as many as this CLIP's embedding has numbers, found "
            f"{width}; it was made for another CLIP"
        )
    head = AffineLayers((joint, *HEAD_WIDTHS)).eval().requires_grad_(False)
    fit_state(head, state, path)
    return head.collapsed().requires_grad_(False)


def scale_of(model: Clip, path: Path) -> float:
    """What cosines are multiplied by, as trained. Raises CheckpointError if it is no scale."""
    scale = float(model.logit_scale.double().exp())
    if not 0 < scale <= MOST_SCALE:
        raise CheckpointError(
            f"{path}: logit_scale: expected the logarithm of a number up to {MOST_SCALE:g}, found "
            f"{float(model.logit_scale):g}"
        )
    return scale


@torch.no_grad()
def random_clip(config: ClipConfig, seed: int) -> Clip:
    """A CLIP whose cosines of images and texts lie around COSINE and differ from one to the other."""
    torch.manual_seed(seed)
    model = Clip(config).eval().requires_grad_(False)
    for name, value in model.named_parameters():
        if value.ndim == 1:
            value += 0.2 * torch.randn(value.shape)
        elif "resblocks" in name:
            value *= 1.5
    nn.init.normal_(model.token_embedding.weight)
    model.logit_scale.fill_(torch.tensor(SCALE).log())
    seen = model.encode_image(normalised(_noise(config.side)))
    meant = model.encode_text(_texts(config))
    common = unit(torch.randn(config.joint))
    for norm, proj, found in (
        (model.visual.ln_post, model.visual.proj, seen),
        (model.ln_final, model.text_projection, meant),
    ):
        apart = float((found - found.mean(0)).norm(dim=-1).mean())
        wanted = common * apart * (COSINE / (1 - COSINE)) ** 0.5
        norm.bias += torch.linalg.lstsq(proj.T, (wanted - found.mean(0))[:, None]).solution[:, 0]
    return model


def _noise(side: int) -> Tensor:
    """uint8 [FEW, side, side, 3], some of it dark."""
    images = torch.randint(256, (FEW, side, side, 3), dtype=torch.uint8)
    images[::2] //= 3
    return images


def _texts(config: ClipConfig) -> Tensor:
    """int64 [FEW, context]: random texts of different lengths."""
    ids = torch.randint(1, config.vocabulary - 2, (FEW, config.context))
    for row, end in zip(ids, torch.linspace(2, config.context - 1, FEW).long(), strict=True):
        row[0], row[end], row[end + 1 :] = config.vocabulary - 2, config.vocabulary - 1, 0
    return ids


@torch.no_grad()
def random_head(joint: int, seed: int) -> dict[str, Tensor]:
    """The state of LAION's layers, with scores in the middle of their range."""
    torch.manual_seed(seed)
    head = AffineLayers((joint, *HEAD_WIDTHS)).requires_grad_(False)
    last = head.layers[-1]
    last.weight *= 4 / head.collapsed().weight.norm()
    last.bias += 5.5 - head.collapsed().bias
    return head.state_dict()


def write_clip(model: Clip, folder: Path) -> Path:
    """Writes what OpenCLIP publishes, safetensors with settings beside them, and returns the folder."""
    from safetensors.torch import save_file

    config = model.config
    folder.mkdir(parents=True, exist_ok=True)
    state = {key: value.detach().contiguous() for key, value in model.state_dict().items()}
    save_file(state, folder / "open_clip_model.safetensors")
    vision = {"width": config.width, "head_width": config.width // config.heads}
    told = {"quick_gelu": config.activation == "quick-gelu", "vision_cfg": vision}
    told["text_cfg"] = {"width": config.text_width, "heads": config.text_heads}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": told}, indent=1) + "\n")
    return folder
