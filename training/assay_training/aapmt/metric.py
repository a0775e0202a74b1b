"""The Metric Transformer: three scores from a feature, as AAPMT declares it and as what it comes to.

It attends over a sequence of length one: both of its softmaxes are 1, its queries and keys have no effect.
Names of modules and parameters are those of its checkpoints.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from assay_training.aapmt.config import Config

OUTPUTS = ("quality", "text_image_correspondence", "authenticity")  # in the order in which they are returned


class MetricTransformer(nn.Module):
    """What is left of it for single features; any number of them at once."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        width = config.text.width
        self.encoder = nn.TransformerEncoderLayer(
            width, config.metric_heads, config.metric_hidden, dropout=0.1, norm_first=True
        )
        for output in OUTPUTS:
            self.register_parameter(f"wv_{output}", nn.Parameter(torch.zeros(width, width)))

    def forward(self, features: Tensor) -> Tensor:
        """Features [..., W] to scores [..., 3] in the order of OUTPUTS.

        u = x + W_o W_v norm1(x), e = u + W_2 relu(W_1 norm2(u)), score = mean of e wv = e · row means of wv.
        """
        layer = self.encoder
        start = 2 * features.shape[-1]  # past queries and keys
        attention = layer.self_attn
        value = F.linear(
            layer.norm1(features), attention.in_proj_weight[start:], attention.in_proj_bias[start:]
        )
        u = features + attention.out_proj(value)
        e = u + layer.linear2(F.relu(layer.linear1(layer.norm2(u))))
        return e @ torch.stack([getattr(self, f"wv_{output}").mean(1) for output in OUTPUTS], 1)


class DeclaredMetricTransformer(MetricTransformer):
    """The whole of it. Only right for one feature at a time: rows of a batch are taken for one sequence."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        for name in (f"{kind}_{output}" for kind in ("wq", "wk") for output in OUTPUTS):
            self.register_parameter(name, nn.Parameter(torch.zeros(config.text.width, config.text.width)))

    def forward(self, features: Tensor) -> Tensor:
        """A feature [1, W] to scores [3]."""
        e = self.encoder(features)
        return torch.stack([self._score(e, output) for output in OUTPUTS])

    def _score(self, e: Tensor, output: str) -> Tensor:
        query, key, value = (e @ getattr(self, f"{kind}_{output}") for kind in ("wq", "wk", "wv"))
        return (F.softmax(query @ key.T / e.shape[-1] ** 0.5, -1) * value).mean()
