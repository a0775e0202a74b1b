"""Sizes of the nets, the texts of the aspects, and how the numbers of a checkpoint are to be read.

Xu et al., "ImageReward", arXiv 2304.05977, and AAPMT, a student project that tunes it to AIGCIQA2023.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from assay_training.blip.bert import TextConfig
from assay_training.blip.vision import VisionConfig

# raw rewards of ImageReward.pt over its own test prompts; its published score is (raw - MEAN) / DEVIATION
MEAN, DEVIATION = 0.16717362830052426, 1.0333394966054072

QUALITY_TEXTS = {
    1: "high quality image",
    2: "extremely high quality image, with vivid details",  # the one that AAPMT mainly uses
    3: "extremely high quality image, with high resolution",
}
TEXTS = {"quality": QUALITY_TEXTS[2], "alignment": "{prompt}", "authenticity": "very authentic image"}
ASPECTS = tuple(TEXTS)

# which matrix of the Metric Transformer predicts an aspect. Its outputs are (quality, correspondence,
# authenticity), but AAPMT trains and reads the first as alignment and the second as quality.
HEADS = {
    "as-trained": {
        "quality": "text_image_correspondence",
        "alignment": "quality",
        "authenticity": "authenticity",
    },
    "as-named": {
        "quality": "quality",
        "alignment": "text_image_correspondence",
        "authenticity": "authenticity",
    },
}
# what the Metric Transformer is given for an aspect: the feature of the aspect's own text, the mean or the
# sum of the features of all three texts, or the feature of the prompt
FEATURES = ("own", "mean", "sum", "prompt")


@dataclass(frozen=True)
class Config:
    """Sizes of ImageReward and of the Metric Transformer; the defaults are the published ones."""

    vision: VisionConfig = field(default_factory=VisionConfig)
    text: TextConfig = field(default_factory=TextConfig)
    reward: tuple[int, ...] = (1024, 128, 64, 16)  # widths of the reward's inner layers
    metric_heads: int = 3
    metric_hidden: int = 2048


FULL = Config()
# the same with few and narrow layers, for tests
TINY = Config(
    VisionConfig(width=16, depth=2, heads=2, hidden=24),
    TextConfig(positions=40, width=12, layers=2, heads=2, hidden=20),
    reward=(10, 8, 6, 4),
    metric_hidden=18,
)


@dataclass(frozen=True)
class Reading:
    """How a model's numbers become scores. `aspects` are predicted in this order, one text each.

    normalised: by MEAN and DEVIATION, as ImageReward publishes its scores; not for models trained on
    opinion scores, which regress the raw number. heads, features: of the Metric Transformer.
    """

    aspects: tuple[str, ...]
    normalised: bool = False
    heads: str = "as-trained"
    features: str = "own"
