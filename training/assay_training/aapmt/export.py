"""Two graphs: image to tokens, and texts about the tokens to scores.

The first takes four fifths of the work or more and depends on the image only. It hands on tokens, not the
keys and values of the text encoder's layers: those would save a quarter (three texts) to a half (one) of the
second graph when an image meets another prompt, but take 14.5 MB instead of 0.8 MB an image, in the cache and
on every way between graphs.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from assay_training.aapmt.config import DEVIATION, HEADS, MEAN, Config, Reading
from assay_training.aapmt.metric import OUTPUTS, MetricTransformer
from assay_training.aapmt.model import ImageReward, Reward
from assay_training.blip.tokenizer import CONTEXT
from assay_training.onnx_export import export

IMAGE, TOKENS, IDS, MASK = "image", "tokens", "ids", "mask"  # inputs; TOKENS is the output of the first graph


class ImageGraph(nn.Module):
    """Image to tokens."""

    def __init__(self, model: ImageReward) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> Tensor:
        """uint8 RGB [N, side, side, 3] to float32 [N, S, vision width]."""
        return self.model.tokens(image)


class ScoreGraph(nn.Module):
    """Texts and tokens to one score for each aspect of the reading."""

    def __init__(self, model: ImageReward, reading: Reading) -> None:
        super().__init__()
        self.model = model
        self.head = (
            MetricHead(model.ImageAssessmentModel, reading) if model.metric else single(model.mlp, reading)
        )

    def forward(self, ids: Tensor, mask: Tensor, tokens: Tensor) -> tuple[Tensor, ...]:
        """Ids and mask int64 [N, T, L], tokens [N, S, vision width] to a score [N, 1] for each aspect."""
        scores = self.head(self.model.features(ids, mask, tokens))
        return tuple(scores[:, index] for index in range(scores.shape[1]))


class MetricHead(nn.Module):
    """Features of the three texts through the Metric Transformer, each aspect read off its head."""

    def __init__(self, metric: MetricTransformer, reading: Reading) -> None:
        super().__init__()
        self.metric = metric
        self.outputs = [OUTPUTS.index(HEADS[reading.heads][aspect]) for aspect in reading.aspects]
        self.register_buffer("mix", mix(reading), persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """Features [N, T, W] to scores [N, T, 1]."""
        scores = self.metric(self.mix @ features)
        return torch.stack([scores[:, row, output] for row, output in enumerate(self.outputs)], 1)[..., None]


def mix(reading: Reading) -> Tensor:
    """[T, T]: what each aspect's feature is made of, a row for the aspect and a column for the text."""
    count = len(reading.aspects)
    if reading.features == "own":
        return torch.eye(count)
    if reading.features == "prompt":
        return torch.eye(count)[reading.aspects.index("alignment")].repeat(count, 1)
    return torch.full((count, count), 1 / count if reading.features == "mean" else 1.0)


@torch.no_grad()
def single(reward: Reward, reading: Reading) -> nn.Linear:
    """The reward as one layer, with the normalisation in it if the reading asks for it."""
    layer = reward.collapsed()
    if reading.normalised:
        layer.weight /= DEVIATION
        layer.bias.copy_((layer.bias - MEAN) / DEVIATION)
    return layer


def export_graphs(model: ImageReward, config: Config, reading: Reading, work: Path) -> dict[str, Path]:
    """Writes WORK/image.onnx and WORK/score.onnx, checked against torch."""
    paths = {name: work / f"{name}.onnx" for name in ("image", "score")}
    generator = torch.Generator().manual_seed(0)
    side = config.vision.side
    image = torch.randint(256, (1, side, side, 3), generator=generator, dtype=torch.uint8)
    export(ImageGraph(model), {IMAGE: image}, [TOKENS], paths["image"])
    shape = (1, len(reading.aspects), CONTEXT)
    ids = torch.randint(config.text.vocabulary, shape, generator=generator)
    mask = (torch.arange(CONTEXT) < CONTEXT // 2).long().expand(shape).contiguous()
    with torch.no_grad():
        tokens = model.tokens(image)
    args = {IDS: ids, MASK: mask, TOKENS: tokens}
    export(ScoreGraph(model, reading), args, list(reading.aspects), paths["score"])
    return paths
