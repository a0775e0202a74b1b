"""ImageReward: BLIP's feature of an image and a text, and linear layers that turn it into a number.

Xu et al., arXiv 2304.05977. The text's first token stays `[CLS]`; its last hidden state is the feature. Names
of modules and parameters are those of ImageReward.pt.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from assay_training.aapmt.config import Config
from assay_training.aapmt.metric import MetricTransformer
from assay_training.blip.bert import TextEncoder
from assay_training.blip.vision import VisionEncoder
from assay_training.clip.model import normalised

DROPOUTS = (0.2, 0.2, 0.1)  # behind the first layers of the reward; they count in training only


class ImageReward(nn.Module):
    """Image and texts to features, and the head that reads them: `mlp`, or the Metric Transformer."""

    def __init__(self, config: Config, metric: bool = False) -> None:
        super().__init__()
        self.blip = Blip(config)
        if metric:
            self.ImageAssessmentModel = MetricTransformer(config)
        else:
            self.mlp = Reward(config)

    @property
    def metric(self) -> bool:
        """Whether the head is the Metric Transformer."""
        return hasattr(self, "ImageAssessmentModel")

    def tokens(self, images: Tensor) -> Tensor:
        """uint8 RGB [N, side, side, 3] to image tokens [N, S, vision width]."""
        return self.blip.visual_encoder(normalised(images))

    def features(self, ids: Tensor, mask: Tensor, tokens: Tensor) -> Tensor:
        """Ids and mask int64 [N, T, L], image tokens [N, S, vision width] to features [N, T, text width]."""
        return self.blip.text_encoder(ids, mask, tokens)[:, :, 0]


class Blip(nn.Module):
    """Both encoders."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.visual_encoder = VisionEncoder(config.vision)
        self.text_encoder = TextEncoder(config.text, config.vision.width)


class Reward(nn.Module):
    """Linear layers without anything non-linear between them."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        widths, layers = (config.text.width, *config.reward, 1), []
        for index in range(len(widths) - 1):
            layers.append(nn.Linear(widths[index], widths[index + 1]))
            if index < len(DROPOUTS):
                layers.append(nn.Dropout(DROPOUTS[index]))
        self.layers = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        """Features [..., text width] to raw rewards [..., 1]."""
        return self.layers(features)

    @torch.no_grad()
    def collapsed(self) -> nn.Linear:
        """All layers as one, multiplied in float64."""
        width = self.layers[0].in_features
        wide = self.layers[0].weight.new_zeros((width + 1, width), dtype=torch.float64)
        wide[1:] = torch.eye(width)
        for layer in self.layers:  # follows zero and the unit vectors through the layers
            if isinstance(layer, nn.Linear):
                wide = wide @ layer.weight.double().T + layer.bias.double()
        single = nn.Linear(width, 1)
        single.weight.copy_((wide[1:] - wide[:1]).T)
        single.bias.copy_(wide[0])
        return single
