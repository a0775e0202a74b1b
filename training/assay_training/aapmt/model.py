"""ImageReward: BLIP's feature of an image and a text, and linear layers that turn it into a number.

Xu et al., arXiv 2304.05977. The text's first token stays `[CLS]`; its last hidden state is the feature. Names
of modules and parameters are those of ImageReward.pt.
"""

from __future__ import annotations

from torch import Tensor, nn

from assay_training.aapmt.config import Config
from assay_training.aapmt.metric import MetricTransformer
from assay_training.affine import AffineLayers
from assay_training.blip.bert import TextEncoder
from assay_training.blip.vision import VisionEncoder
from assay_training.clip.model import normalised


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


class Reward(AffineLayers):
    """Linear layers without anything non-linear between them."""

    def __init__(self, config: Config) -> None:
        super().__init__((config.text.width, *config.reward, 1))
