"""From a CLIP and a preset to what a model folder is made of: graphs, tokenizer, manifest and card."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from assay_training.checkpoints import CheckpointError
from assay_training.clip.mending import write_mending
from assay_training.clip.model import Clip, unit
from assay_training.clip.naming import vit_name
from assay_training.clip.sizes import open_clip
from assay_training.clip.tokenizer import PAD, encode, open_tokenizer, write_tokenizer
from assay_training.clip_scorers.card import card
from assay_training.clip_scorers.checkpoint import load_head, scale_of
from assay_training.clip_scorers.export import IDS, IMAGE, MOST_BYTES, Antonyms, Cosine, export_graphs
from assay_training.clip_scorers.presets import PRESETS, Preset, score_range
from assay_training.convert import System

VERSION = "1.0.0"
ASPECTS = ("quality", "alignment", "authenticity")


@dataclass(frozen=True)
class Sources:
    """Files of the user: CLIP, where its tokenizer is, and the head, if there is one."""

    clip: Path
    tokenizer: Path | None = None  # None: beside CLIP
    head: Path | None = None


def prepare(
    preset: str, sources: Sources, work: Path, *, activation: str | None = None, most_bytes: int = MOST_BYTES
) -> System:
    """Writes graphs and, where texts are read, the tokenizer into WORK, which is made.

    activation: of the CLIP, where nothing beside its weights tells it. most_bytes: of weights in one graph.
    Raises CheckpointError for files that do not fit, ValueError for an unknown preset.
    """
    if preset not in PRESETS:
        raise ValueError(f"preset: expected one of {', '.join(PRESETS)}, found {preset}")
    row = PRESETS[preset]
    if (row.kind == "head") != (sources.head is not None):
        found = "none" if sources.head is None else str(sources.head)
        wanted = (
            "a checkpoint of its layers (--head)"
            if row.kind == "head"
            else "no --head: it has no such layers"
        )
        raise CheckpointError(f"{preset}: expected {wanted}, found {found}")
    work.mkdir(parents=True, exist_ok=True)
    clip = open_clip(sources.clip, activation, row.activation)
    _check_size(preset, clip, sources.clip)
    scale = scale_of(clip, sources.clip)
    tokenizer = None
    if row.kind != "head":
        tokenizer = write_tokenizer(sources.tokenizer or sources.clip, work / "tokenizer.json", clip.config)
    formula = formula_of(row, clip, scale, tokenizer, sources.head)
    reads = row.kind == "prompt"
    return System(
        graphs=export_graphs(clip, formula, row.aspects, work, most_bytes),
        tokenizer=tokenizer if reads else None,
        mending=write_mending(work / "mending.json") if reads else None,
        manifest=manifest_of(preset, clip, scale),
        card=card(row, clip, scale, name_of(clip) or f"of width {clip.config.width}"),
    )


def _check_size(preset: str, clip: Clip, path: Path) -> None:
    """Raises CheckpointError for a CLIP of another published size than the one that the preset is about."""
    found, wanted = name_of(clip), PRESETS[preset].size
    if found and wanted and found != wanted:
        raise CheckpointError(f"{path}: this is CLIP {found}; for {preset}, {wanted} is needed")


@torch.no_grad()
def formula_of(row: Preset, clip: Clip, scale: float, tokenizer: Path | None, head: Path | None) -> nn.Module:
    """The module that turns features into scores, with the constants of the weights."""
    if row.kind == "head":
        return load_head(head, clip.config.joint)
    if row.kind == "prompt":
        return Cosine(scale if row.factor is None else row.factor)
    texts = [text for pair in row.texts.values() for text in pair]
    ids = encode(open_tokenizer(tokenizer), texts, clip.config.context)
    features = unit(clip.encode_text(torch.from_numpy(ids)))
    return Antonyms(features[::2], features[1::2], scale)


def name_of(clip: Clip) -> str | None:
    """As OpenAI names sizes, such as ViT-L/14; None for others."""
    config = clip.config
    return vit_name((config.width, 3, config.patch, config.patch), config.tokens)


def manifest_of(preset: str, clip: Clip, scale: float) -> dict:
    """All of the manifest that does not depend on files."""
    row, config = PRESETS[preset], clip.config
    reads, ends = row.kind == "prompt", list(score_range(row, scale))
    known = {
        name: {"output": name, "kind": "mean", "range": ends, "needsPrompt": reads} for name in row.aspects
    }
    text = {
        "tokenizer": "tokenizer.json",
        "ids": IDS,
        "mask": None,
        "dtype": "int64",
        "contextLength": config.context,
        "padId": PAD,
    }
    asked = [
        {"graph": "text", "per": "prompt", "texts": list(row.texts[name])} for name in row.aspects if reads
    ]
    return {
        "id": preset,
        "version": VERSION,
        "title": row.title,
        "description": row.lead,
        "license": row.license,
        "source": f"{row.source}; converted: python -m assay_training convert clip --preset {preset}",
        "image": {
            "input": IMAGE,
            "width": config.side,
            "height": config.side,
            "resize": row.resize,
            "kernel": "pillow-cubic",
            "layout": "nhwc",
            "dtype": "uint8",
            "minSide": 64,
            "maxAspectRatio": 4,
        },
        "text": text if reads else None,
        "graphs": [{"graph": "image", "per": "image"}, *asked, {"graph": "score", "per": "pair"}],
        "aspects": {name: known.get(name) for name in ASPECTS},
        "reward": {"weights": {name: int(number == 0) for number, name in enumerate(row.aspects)}},
        "maxBatch": 8,
        "cpuMaxBatch": 1,
    }
