"""Random weights in the published layouts, for tests and for parity."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from assay_training.clip.huggingface import PARTS as CLIP_PARTS
from assay_training.clip.tokenizer import tiny_tokenizer
from assay_training.diff_agiqa.config import Config
from assay_training.diff_agiqa.head import Head, Norm
from assay_training.diff_agiqa.latents import Vae
from assay_training.diff_agiqa.text import TextTower
from assay_training.diff_agiqa.unet import Unet


@torch.no_grad()
def write_diffusion(config: Config, folder: Path, seed: int) -> Path:
    """A folder of diffusers with random weights and a tiny tokenizer; returns it."""
    from safetensors.torch import save_file

    torch.manual_seed(seed)
    for name, model, file in (
        ("unet", Unet(config), "diffusion_pytorch_model"),
        ("vae", Vae(config), "diffusion_pytorch_model"),
        ("text_encoder", TextTower(config), "model"),
    ):
        _draw(model)
        state = model.state_dict()
        state = _huggingface(state) if name == "text_encoder" else state
        (folder / name).mkdir(parents=True, exist_ok=True)
        save_file(
            {key: value.contiguous() for key, value in state.items()}, folder / name / f"{file}.safetensors"
        )
    (folder / "tokenizer").mkdir(exist_ok=True)
    tiny_tokenizer(folder / "tokenizer" / "tokenizer.json", config.text)
    return folder


@torch.no_grad()
def write_head(config: Config, path: Path, seed: int) -> Path:
    """A head with statistics of batches, an attention that counts, and the keys that have no effect."""
    torch.manual_seed(seed + 1)
    model = Head(config)
    for module in model.modules():
        if isinstance(module, Norm):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.05, 0.3)
            module.weight.uniform_(0.7, 1.3)
            module.bias.normal_(0, 0.2)
    for attention in model.cross_attentions:
        attention.gamma.fill_(0.7)
    _draw(model.image_prompts, 0.3)
    state = model.state_dict()
    state |= {"image_prompts.meta_net.0.bias": torch.zeros(64), "cross_attentions.5.gamma": torch.zeros(1)}
    state |= {"fusion_align.0.bias": torch.zeros(4), "align_head.2.bias": torch.zeros(4)}
    state["pyramid_extractors.0.fusion.1.num_batches_tracked"] = torch.tensor(7)
    torch.save(state, path)
    return path


def _draw(model: nn.Module, gain: float = 1.0) -> None:
    """Matrices that keep the size of what they are given, biases and norms that count."""
    for name, value in model.named_parameters():
        if value.ndim == 1:
            value.normal_(1.0 if "norm" in name and name.endswith("weight") else 0.0, 0.1)
        elif "embedding" in name and value.ndim == 2 and "time" not in name:
            value.normal_(0, 0.5)
        else:
            value.normal_(0, gain * value[0].numel() ** -0.5)


def _huggingface(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """OpenAI's names of a text tower as those of text_encoder/."""
    theirs = {ours: name for name, ours in CLIP_PARTS.items()}
    plain = {
        "token_embedding.weight": "embeddings.token_embedding.weight",
        "positional_embedding": "embeddings.position_embedding.weight",
        "ln_final.weight": "final_layer_norm.weight",
        "ln_final.bias": "final_layer_norm.bias",
    }
    found = {}
    for key, value in state.items():
        if key in plain:
            found[f"text_model.{plain[key]}"] = value
            continue
        _, _, number, rest = key.split(".", 3)
        base = f"text_model.encoder.layers.{number}"
        if rest.startswith("attn.in_proj_"):
            kind = rest.removeprefix("attn.in_proj_")
            for letter, third in zip("qkv", value.chunk(3), strict=True):
                found[f"{base}.self_attn.{letter}_proj.{kind}"] = third.clone()
        else:
            stem, _, kind = rest.rpartition(".")
            found[f"{base}.{theirs.get(stem, stem)}.{kind}"] = value
    return found
