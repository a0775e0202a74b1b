"""Mixture of convolutional experts, chosen by what the tokens read in the instruction."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from assay_training.acl_iqa.config import AclConfig
from assay_training.acl_iqa.experts import KINDS, Expert
from assay_training.clip.model import attend, merge_heads, split_heads

NOISE_FLOOR = 0.01
TINY = 1e-10


class CrossAttention(nn.Module):
    """What image tokens read in the states of a text; all positions are attended, padding too."""

    def __init__(self, width: int, text_width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj, self.out_proj = nn.Linear(width, width), nn.Linear(width, width)
        self.k_proj, self.v_proj = nn.Linear(text_width, width), nn.Linear(text_width, width)

    def forward(self, x: Tensor, text: Tensor) -> Tensor:
        """Tokens [N, T, width] and text states [N, S, text width] to [N, T, width]."""
        q = split_heads(self.q_proj(x), self.heads)
        k, v = (split_heads(layer(text), self.heads) for layer in (self.k_proj, self.v_proj))
        return self.out_proj(merge_heads(attend(q, k, v)))


class Mixture(nn.Module):
    """Six experts of which each image uses a few. Everything is computed densely and masked.

    `mean` and `std` are stored upstream and have no effect.
    """

    def __init__(self, config: AclConfig) -> None:
        super().__init__()
        self.combine, self.chosen = config.combine, config.chosen
        width = config.clip.width
        for path in config.paths:
            setattr(self, f"w_gate{path}", nn.Parameter(torch.zeros(width, len(KINDS))))
        self.w_noise = nn.Parameter(torch.zeros(width, len(KINDS)))
        self.register_buffer("mean", torch.zeros(1))
        self.register_buffer("std", torch.ones(1))
        self.adapter_experts = nn.ModuleList(Expert(kind, width, config.bottleneck) for kind in KINDS)

    def forward(self, x: Tensor, gate: Tensor, path: str) -> tuple[Tensor, Tensor]:
        """Tokens [N, T, width], what they read [N, width] -> mixture [N, T, width], auxiliary loss."""
        clean = (gate @ getattr(self, f"w_gate{path}")).float()
        noise = nn.functional.softplus(gate @ self.w_noise) + NOISE_FLOOR
        logits = clean + torch.randn_like(clean) * noise if self.training else clean
        top, index = logits.topk(self.chosen, -1)
        weights = torch.zeros_like(logits).scatter(-1, index, top.softmax(-1))
        outputs = torch.stack([expert(x) for expert in self.adapter_experts], 1)
        loss = self._loss(clean, logits, noise, weights) if self.training else x.new_zeros(())
        return combined(outputs, weights, self.combine), loss

    def _loss(self, clean: Tensor, logits: Tensor, noise: Tensor, weights: Tensor) -> Tensor:
        """Squared coefficients of variation of the experts' importance and load (Shazeer et al., 1701.06538).

        Load is the probability that an expert is chosen if only its own noise were drawn again.
        """
        top = logits.topk(self.chosen + 1, -1).values
        least_in, best_out = top[:, self.chosen - 1, None], top[:, self.chosen, None]
        threshold = torch.where(logits > best_out, best_out, least_in)
        load = torch.special.ndtr(((clean - threshold) / noise).float()).sum(0)
        return variation(weights.float().sum(0)) + variation(load)


def combined(outputs: Tensor, weights: Tensor, how: str) -> Tensor:
    """Expert outputs [N, E, T, width] and gate values [N, E], 0 if not chosen -> [N, T, width].

    An expert that was chosen with a gate value of 0, which takes a logit 104 below the first, has no
    part in it: upstream finds the chosen ones by their values.
    """
    weights = weights[..., None, None]
    if how == "weighted-sum":
        return (outputs * weights).sum(1)
    if how == "gated-logsumexp":
        outputs = outputs + weights.clamp_min(TINY).log()
    return outputs.masked_fill(weights == 0, float("-inf")).logsumexp(1)


def variation(values: Tensor) -> Tensor:
    """Squared coefficient of variation of a vector, with the unbiased variance."""
    return values.var() / (values.mean() ** 2 + TINY)
