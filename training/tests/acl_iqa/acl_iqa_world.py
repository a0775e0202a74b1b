"""Tiny nets with random weights, and what they are fed."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from assay_training.acl_iqa.checkpoint import load_checkpoint, random_checkpoint
from assay_training.acl_iqa.config import AclConfig, Views
from assay_training.acl_iqa.model import AclIqa
from assay_training.clip.model import ClipConfig
from assay_training.data import COLUMNS

CLIP = ClipConfig(
    side=12,
    patch=4,
    width=16,
    layers=4,
    heads=2,
    text_width=12,
    text_layers=3,
    text_heads=2,
    context=24,
    vocabulary=530,
    joint=8,
)
VIEWS = Views(count=5, training=2, stride=4, large_stride=6, large_side=64, enlarge_to=24)
TINY = AclConfig(clip=CLIP, views=VIEWS, bottleneck=4)
SMALL = replace(TINY, clip=replace(CLIP, layers=2, text_layers=1))
SMALLEST = replace(SMALL, variant="conv-moe")


def random_net(folder: Path, config: AclConfig = TINY, seed: int = 0) -> AclIqa:
    """A net read back from a checkpoint of random weights."""
    path = folder / "random.pt"
    random_checkpoint(config, path, seed)
    return load_checkpoint(path, config)[0]


def inputs(config: AclConfig, images: int, windows: int, seed: int = 0) -> dict[str, Tensor]:
    """Arguments of AclIqa.forward; texts end at different places."""
    generator, clip = torch.Generator().manual_seed(seed), config.clip
    side = clip.side

    def ids(texts: int) -> Tensor:
        found = torch.randint(1, clip.vocabulary - 2, (images, texts, clip.context), generator=generator)
        ends = torch.randint(1, clip.context, (images, texts, 1), generator=generator)
        found.scatter_(2, ends, clip.vocabulary - 1)
        return found.masked_fill(torch.arange(clip.context) > ends, 0)

    return {
        "windows": torch.randint(
            0, 256, (images, windows, side, side, 3), generator=generator, dtype=torch.uint8
        ),
        "whole": torch.rand(images, side, side, 3, generator=generator) * 255,
        "grades": ids(5),
        "instructions": ids(len(config.paths)),
    }


def rated_images(folder: Path, count: int) -> Path:
    """AGIQA-3K's layout: `count` images whose redness is their quality and greenness their alignment."""
    (folder / "images").mkdir(parents=True)
    rng, rows = np.random.default_rng(0), []
    for number in range(count):
        quality, alignment = rng.uniform(0.5, 4.5, 2)
        pixels = rng.integers(0, 60, (24, 24, 3)) + np.array([quality, alignment, 2]) * 35
        Image.fromarray(pixels.astype(np.uint8)).save(folder / "images" / f"{number}.png")
        row = dict.fromkeys(COLUMNS, 0.5)
        row |= {"name": f"{number}.png", "generator": "none", "prompt": f"p {number % 8}", "fold": number % 4}
        rows.append(row | {"mos_quality": quality, "mos_align": alignment})
    with (folder / "ratings.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder
