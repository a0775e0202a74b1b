"""The text tower of CLIP ViT-L/14, over as many chunks as a prompt fills."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from assay_training.clip.model import EPSILON, Transformer, causal_mask
from assay_training.diff_agiqa.config import Config

FAR = 1e4  # less than what ends a softmax in any precision


class TextTower(nn.Module):
    """State-dict keys are those of OpenAI's CLIP."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        clip = config.text
        self.transformer = Transformer(clip.text_width, clip.text_layers, clip.text_heads, clip.activation)
        self.token_embedding = nn.Embedding(clip.vocabulary, clip.text_width)
        self.positional_embedding = nn.Parameter(torch.randn(clip.context, clip.text_width) * 0.01)
        self.ln_final = nn.LayerNorm(clip.text_width, EPSILON)
        mask = causal_mask(clip.context, self.positional_embedding.detach())
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """int64 [N, 1, L] twice to states [N, L, width], and to what hides the rest, [N, 1, L].

        Each chunk is a text of its own; what stands behind its end changes nothing before it.
        """
        chunks = ids.reshape(-1, self.positional_embedding.shape[0])
        return self.states(chunks).reshape(ids.shape[0], ids.shape[2], -1), (mask.float() - 1) * FAR

    def states(self, ids: Tensor) -> Tensor:
        """int64 [N, T] to [N, T, width], T being a context or less."""
        length = ids.shape[1]
        x = self.token_embedding(ids) + self.positional_embedding[:length]
        return self.ln_final(self.transformer(x, self.mask[:length, :length]))
