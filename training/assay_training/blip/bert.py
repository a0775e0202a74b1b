"""BLIP's text encoder: BERT-base whose layers look at an image between self-attention and perceptron.

Devlin et al., arXiv 1810.04805; Li et al., arXiv 2201.12086 (MED). There are no token types, no pooler.
Names of modules and parameters are those of published checkpoints
(`text_encoder.encoder.layer.0.crossattention.self.key.weight`, …).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from assay_training.blip.attention import attend

EPSILON = 1e-12
MASKED = -10000.0  # added to scores of padding: weighs 0 in float32, and fits into float16


@dataclass(frozen=True)
class TextConfig:
    """Sizes of the text encoder; the defaults are BERT-base with BLIP's two more pieces."""

    vocabulary: int = 30524
    positions: int = 512
    width: int = 768
    layers: int = 12
    heads: int = 12
    hidden: int = 3072


class TextEncoder(nn.Module):
    """Texts about an image to features. `image_width` is the width of the image's tokens."""

    def __init__(self, config: TextConfig, image_width: int) -> None:
        super().__init__()
        self.embeddings = Embeddings(config)
        self.encoder = Layers(config, image_width)

    def forward(self, ids: Tensor, mask: Tensor, image: Tensor) -> Tensor:
        """Token ids and mask int64 [N, T, L], image tokens [N, S, image_width] to features [N, T, L, width].

        T texts are read about each image; mask is 1 at tokens and 0 at padding. Keys and values of the image
        are computed once for all of its texts.
        """
        bias = ((1 - mask) * MASKED).to(image.dtype)[:, :, None, None]
        x = self.embeddings(ids)
        for layer in self.encoder.layer:
            x = layer(x, bias, image)
        return x


class Embeddings(nn.Module):
    """Pieces and positions, summed and normalised."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(config.vocabulary, config.width)
        self.position_embeddings = nn.Embedding(config.positions, config.width)
        self.LayerNorm = nn.LayerNorm(config.width, EPSILON)

    def forward(self, ids: Tensor) -> Tensor:
        """Token ids [..., L] to [..., L, width]."""
        return self.LayerNorm(self.word_embeddings(ids) + self.position_embeddings.weight[: ids.shape[-1]])


class Layers(nn.Module):
    """Only there for the names."""

    def __init__(self, config: TextConfig, image_width: int) -> None:
        super().__init__()
        self.layer = nn.ModuleList(Layer(config, image_width) for _ in range(config.layers))


class Layer(nn.Module):
    """Self-attention, cross-attention, perceptron; each added to its input and then normalised."""

    def __init__(self, config: TextConfig, image_width: int) -> None:
        super().__init__()
        self.attention = Attention(config, config.width)
        self.crossattention = Attention(config, image_width)
        self.intermediate = Dense(config.width, config.hidden)
        self.output = Residual(config.hidden, config.width)

    def forward(self, x: Tensor, bias: Tensor, image: Tensor) -> Tensor:
        """Texts [N, T, L, W], bias [N, T, 1, 1, L], image [N, S, image_width] to [N, T, L, W]."""
        x = self.attention(x, x, bias)
        x = self.crossattention(x.flatten(1, 2), image).unflatten(1, x.shape[1:3])
        return self.output(F.gelu(self.intermediate.dense(x)), x)


class Attention(nn.Module):
    """Attention of texts to a context of width `width`, and what follows it."""

    def __init__(self, config: TextConfig, width: int) -> None:
        super().__init__()
        self.self = Projections(config, width)
        self.output = Residual(config.width, config.width)

    def forward(self, x: Tensor, context: Tensor, bias: Tensor | None = None) -> Tensor:
        """[..., L, W] and context [..., S, width] to [..., L, W]; bias is added to [..., heads, L, S]."""
        return self.output(self.self(x, context, bias), x)


class Projections(nn.Module):
    """Query of the text, key and value of the context."""

    def __init__(self, config: TextConfig, width: int) -> None:
        super().__init__()
        self.heads = config.heads
        self.query = nn.Linear(config.width, config.width)
        self.key, self.value = nn.Linear(width, config.width), nn.Linear(width, config.width)

    def forward(self, x: Tensor, context: Tensor, bias: Tensor | None) -> Tensor:
        """As Attention, before the output matrix."""
        return attend(self.query(x), self.key(context), self.value(context), self.heads, bias)


class Dense(nn.Module):
    """Only there for the name."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.dense = nn.Linear(inputs, outputs)


class Residual(Dense):
    """norm(x + dense(y))."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs)
        self.LayerNorm = nn.LayerNorm(outputs, EPSILON)

    def forward(self, y: Tensor, x: Tensor) -> Tensor:
        """y [..., inputs] and x [..., outputs] to [..., outputs]."""
        return self.LayerNorm(x + self.dense(y))
