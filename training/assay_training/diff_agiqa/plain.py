"""Diff-AGIQA in plain torch, one image and one prompt at a time, with the head as published: for parity."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image
from tokenizers import Tokenizer
from torch import Tensor

from assay_training.clip.mending import mended
from assay_training.clip.tokenizer import open_tokenizer
from assay_training.diff_agiqa.checkpoint import Sources, load_head, load_text, load_unet, load_vae
from assay_training.diff_agiqa.config import SHORT_WORDS, Config
from assay_training.diff_agiqa.latents import Latents, fixed_noises
from assay_training.prepare import prepare

SPREAD = 1.0  # deviation of what the last sigmoid is given, over the images of a comparison
LOGIT = 0.4  # its mean


class PlainDiffAgiqa:
    """The whole net, with the first of the fixed noises."""

    def __init__(self, sources: Sources, tokenizer: Path, image: dict, config: Config) -> None:
        """image: the manifest's."""
        self.config, self.image = config, image
        self.head = load_head(sources.head, config)
        self.tower, self.unet = load_text(sources, config), load_unet(sources, config)
        vae = load_vae(sources, config)
        self.latents = Latents(self.head.image_prompts, vae, fixed_noises(1, config))
        self.tokenizer = open_tokenizer(tokenizer)

    def taps(self, image: Image.Image, prompt: str) -> tuple[Tensor, ...]:
        """Five activations, [1, H W, channels] each."""
        pixels = torch.tensor(prepare(image, self.image)["image"])[None]
        context = torch.cat([self.tower.states(chunk[None]) for chunk in self.chunks(prompt)], 1)
        return self.unet(self.latents(pixels)[:, 0], context, None)

    def chunks(self, prompt: str) -> list[Tensor]:
        """Ids of each chunk; the last of a long prompt may be shorter than the others."""
        return chunks(self.tokenizer, prompt, self.config)

    @torch.no_grad()
    def score(self, image: Image.Image, prompt: str) -> float:
        """In 0..5."""
        return float(self.head(self.taps(image, prompt)))

    @torch.no_grad()
    def logit(self, image: Image.Image, prompt: str) -> float:
        """What the last sigmoid is given."""
        return float(self.head.logit(self.taps(image, prompt)))


def chunks(tokenizer: Tokenizer, prompt: str, config: Config) -> list[Tensor]:
    """Ids of a short prompt, cut or filled up with the end; of a long one in parts, cut at last."""
    length, end = config.text.context, config.text.vocabulary - 1
    ids = tokenizer.encode(mended(prompt)).ids
    is_long = len(prompt.split(" ")) > SHORT_WORDS
    most = config.context if is_long else length
    ids = [*ids[: most - 1], end] if len(ids) > most else ids
    filled = ids if is_long else ids + [end] * (length - len(ids))
    return list(torch.tensor(filled).split(length))


def spread_out(path: Path, logits: list[float]) -> None:
    """Changes a head's last layer, in its file, so that these numbers have mean LOGIT, deviation SPREAD."""
    state, found = torch.load(path, weights_only=True), torch.tensor(logits)
    factor = SPREAD / found.std()
    state["quality_head.8.weight"] *= factor
    state["quality_head.8.bias"].copy_(factor * (state["quality_head.8.bias"] - found.mean()) + LOGIT)
    torch.save(state, path)
