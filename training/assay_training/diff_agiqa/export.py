"""The net's graphs as checked ONNX files.

    text:    ids, mask [n, 1, L]                     -> context [n, L, width], hidden [n, 1, L]
    latents: image uint8 [n, side, side, 3]          -> latents [n, K, 4, S, S], one for each noise
    score:   latents, context, hidden                -> quality [n, 1], the mean over the noises

Each part is loaded, written and forgotten before the next one: the last graph alone has 5 GB of weights.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from assay_training.diff_agiqa.checkpoint import Sources, load_text, load_unet, load_vae
from assay_training.diff_agiqa.config import Config
from assay_training.diff_agiqa.flat_head import FlatHead
from assay_training.diff_agiqa.head import Head
from assay_training.diff_agiqa.latents import Latents, Prompter, fixed_noises
from assay_training.diff_agiqa.text import FAR, TextTower
from assay_training.diff_agiqa.unet import Unet
from assay_training.onnx_export import export

IMAGE, IDS, MASK = "image", "ids", "mask"
LATENTS, CONTEXT, HIDDEN = "latents", "context", "hidden"


class ScoreGraph(nn.Module):
    """Latents and a prompt to the score."""

    def __init__(self, unet: Unet, head: FlatHead) -> None:
        super().__init__()
        self.unet, self.head = unet, head

    def forward(self, latents: Tensor, context: Tensor, hidden: Tensor) -> Tensor:
        """[N, K, 4, S, S], [N, L, width], [N, 1, L] to [N, 1]."""
        count = latents.shape[1]
        context, hidden = (
            part[:, None].expand(-1, count, -1, -1).flatten(0, 1) for part in (context, hidden)
        )
        found = self.head(self.unet(latents.flatten(0, 1), context, hidden[:, None]))
        return found.reshape(-1, count).mean(1, keepdim=True)


def export_graphs(head: Head, sources: Sources, config: Config, noises: int, work: Path) -> dict[str, Path]:
    """Writes WORK/{text,latents,score}.onnx, checked against torch. Raises CheckpointError."""
    paths = {name: work / f"{name}.onnx" for name in ("text", "latents", "score")}
    generator = torch.Generator().manual_seed(0)
    context = _text(load_text(sources, config), config, generator, paths["text"])
    latents = _latents(head.image_prompts, sources, config, noises, generator, paths["latents"])
    unet = load_unet(sources, config)
    hidden = torch.where(torch.arange(config.context) < config.context // 2, 0.0, -FAR)[None, None]
    args = {LATENTS: latents, CONTEXT: context, HIDDEN: hidden}
    graph = ScoreGraph(unet, FlatHead(head, config))
    export(graph, args, ["quality"], paths["score"], free={LATENTS: {1: "noises"}})
    return paths


def _text(tower: TextTower, config: Config, generator: torch.Generator, path: Path) -> Tensor:
    """Writes the graph of texts; returns an example of its output."""
    ids = torch.randint(config.text.vocabulary, (1, 1, config.context), generator=generator)
    mask = (torch.arange(config.context) < config.context // 2).long().expand(1, 1, -1).contiguous()
    export(tower, {IDS: ids, MASK: mask}, [CONTEXT, HIDDEN], path)
    with torch.no_grad():
        return tower(ids, mask)[0]


def _latents(
    prompter: Prompter, sources: Sources, config: Config, noises: int, generator: torch.Generator, path: Path
) -> Tensor:
    """Writes the graph of images; returns an example of its output."""
    image = torch.randint(256, (1, config.side, config.side, 3), generator=generator, dtype=torch.uint8)
    module = Latents(prompter, load_vae(sources, config), fixed_noises(noises, config))
    export(module, {IMAGE: image}, [LATENTS], path)
    with torch.no_grad():
        found = module(image)
    return found if noises > 1 else found.expand(-1, 2, -1, -1, -1)  # a free dimension cannot be shown as 1
