"""Multiply-adds of Diff-AGIQA's parts for an image, and of its head as published against ours.

Counted, not run: no weights and next to no time are needed.
Example: python bench/diff_agiqa_cost.py
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "training"))

from assay_training.diff_agiqa.config import FULL
from assay_training.diff_agiqa.flat_head import FlatHead
from assay_training.diff_agiqa.head import Head
from assay_training.diff_agiqa.latents import Vae
from assay_training.diff_agiqa.text import TextTower
from assay_training.diff_agiqa.unet import Unet


def main() -> None:
    with torch.no_grad(), torch.device("meta"):
        taps = [torch.empty(1, (FULL.map_side // repeats) ** 2, channels) for channels, repeats in FULL.taps]
        ids = torch.empty(1, 1, FULL.context, dtype=torch.long)
        context = torch.empty(1, FULL.context, FULL.text.text_width)
        latents = torch.empty(1, FULL.latent, FULL.latent_side, FULL.latent_side)
        report("text, once a prompt", multiply_adds(TextTower(FULL), ids, ids))
        report(
            "VAE, once an image",
            multiply_adds(Vae(FULL), torch.empty(1, 3, FULL.side, FULL.side)),
        )
        report(
            "UNet to the last activation",
            multiply_adds(Unet(FULL).fold_time(), latents, context, None),
        )
        published = multiply_adds(Head(FULL), taps)
        ours = multiply_adds(FlatHead(Head(FULL), FULL), taps)
        report("head as published", published)
        report("head here", ours)
    print(f"published / here: {published / ours:.2f}")


def multiply_adds(module: nn.Module, *args: Tensor | list[Tensor] | None) -> int:
    """Of all matrix products and convolutions."""
    with FlopCounterMode(display=False) as counted:
        module.eval()(*args)
    return counted.get_total_flops() // 2


def report(name: str, count: int) -> None:
    print(f"{name:30} {count / 1e9:7.1f} G multiply-adds")


if __name__ == "__main__":
    main()
