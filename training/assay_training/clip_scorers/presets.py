"""The scorers that are CLIP and a formula, one row each: what is asked, and how the answer is read.

Three formulas, where e is the embedding of the image and t that of a text, both of length 1:

    prompt:   factor · <e, t>, or exp(logit_scale) · <e, t> without a factor
    antonyms: softmax of exp(logit_scale) · (<e, t_good>, <e, t_bad>): the share of the good one
    head:     linear layers on e, whose checkpoint comes apart from CLIP's
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# cosines of images and texts of these CLIPs lie inside; what lies outside is cut off
COSINES = (0.0, 0.5)
HEAD_RANGE, SHARE_RANGE = (1.0, 10.0), (0.0, 1.0)
HEAD_WIDTHS = (1024, 128, 64, 16, 1)  # of LAION's layers, behind the embedding


@dataclass(frozen=True)
class Preset:
    """One scorer.

    texts: by aspect, the one with the prompt, or the good and the bad antonym, or none where a head judges.
    factor: of the cosine; None: the scale that the weights hold. activation: where nothing beside the weights
    tells it. size: of the CLIP, if no other will do. needs: the CLIP it was made with. lead: what it is, in a sentence. reading, terms, limits: lines
    of the card.
    """

    title: str
    texts: Mapping[str, tuple[str, ...]]
    lead: str
    needs: str
    source: str
    license: str
    reading: str
    terms: str
    limits: tuple[str, ...]
    factor: float | None = None
    resize: str = "cover"
    activation: str | None = None
    size: str | None = None

    @property
    def kind(self) -> str:
        """`prompt`, `antonyms` or `head`."""
        counts = {len(texts) for texts in self.texts.values()}
        return {0: "head", 1: "prompt", 2: "antonyms"}[counts.pop()]

    @property
    def aspects(self) -> tuple[str, ...]:
        """In the order of the outputs."""
        return tuple(self.texts)


CROPPED = "The shorter side is resized to CLIP's and the rest is cut off at the centre: margins are not seen."
CUT = "A text counts up to {context} ids, start and end included; the daemon says when it was longer."
OWN_PROMPT = (
    "Images of one prompt are compared. Between prompts the score also says how easily CLIP reads the prompt."
)

PRESETS: dict[str, Preset] = {
    "clip-score": Preset(
        title="CLIPScore",
        texts={"alignment": ("A photo depicts {prompt}",)},
        factor=2.5,
        lead="How well an image fits its prompt: 2.5 times the cosine of CLIP's embeddings (CLIPScore).",
        needs="any; the paper's is OpenAI's ViT-B/32",
        source="CLIPScore (Hessel et al., arXiv 2104.08718) on a CLIP of the user's choice",
        license="that of the CLIP; OpenAI's is MIT",
        reading="Score: 2.5 · max(cosine, 0), of the image and `A photo depicts` with the prompt behind it. Others "
        "leave these words out, or multiply by 100: their figures differ.",
        terms="The formula has no weights of its own. OpenAI publishes code and weights of CLIP under MIT.",
        limits=(CROPPED, CUT, OWN_PROMPT),
    ),
    "clip-iqa": Preset(
        title="CLIP-IQA",
        texts={
            "quality": ("Good photo.", "Bad photo."),
            "authenticity": ("Natural photo.", "Synthetic photo."),
        },
        lead="Look of an image by two antonyms each, without ratings and without its prompt (CLIP-IQA).",
        needs="any with a vision transformer",
        source="CLIP-IQA (Wang et al., arXiv 2207.12396) on a CLIP of the user's choice",
        license="that of the CLIP; OpenAI's is MIT",
        reading="Score: the share of the first text in the softmax of both, with the weights' own scale.",
        terms="The method's texts are all that is taken over. OpenAI publishes code and weights of CLIP under MIT.",
        limits=(
            CROPPED,
            "The paper reads a ResNet (RN50) without positions at the image's own size. A vision transformer at "
            "its own size is another net: the paper's figures do not hold for it.",
            "The antonyms of authenticity were not chosen for generated images; it has no weight in the reward.",
        ),
    ),
    "laion-aesthetic": Preset(
        title="LAION aesthetic predictor v2",
        texts={"quality": ()},
        size="ViT-L/14",
        lead="How much people like the look of an image: linear layers on CLIP ViT-L/14 (LAION aesthetic v2).",
        needs="OpenAI's ViT-L/14",
        source="sac+logos+ava1-l14-linearMSE.pth of christophschuhmann/improved-aesthetic-predictor on GitHub",
        license="that of the predictor (Apache-2.0) and of CLIP (OpenAI's is MIT)",
        reading="Score: the layers' own number; they have nothing non-linear between them and are one layer here.",
        terms="The predictor is published under Apache-2.0, CLIP by OpenAI under MIT.",
        limits=(
            CROPPED,
            "Trained on opinions from 1 to 10 (SAC, LAION-Logos, AVA), most between 4.5 and 7. It likes "
            "paintings and portraits, and knows nothing of the prompt.",
        ),
    ),
    "pickscore": Preset(
        title="PickScore",
        texts={"alignment": ("{prompt}",)},
        activation="gelu",
        size="ViT-H/14",
        lead="Which image people pick for a prompt: CLIP ViT-H/14 tuned on choices (PickScore).",
        needs="PickScore_v1, which holds all weights",
        source="yuvalkirstain/PickScore_v1 on Hugging Face",
        license="NOASSERTION",
        reading="Score: the cosine times the weights' own scale; about 18 to 24.",
        terms="Which licence the weights have is not known here: see where they are published.",
        limits=(
            CROPPED,
            CUT,
            OWN_PROMPT,
            "Prompts are mended as OpenAI's tokenizer does; PickScore's own processor reads mangled ones as they "
            "stand.",
        ),
    ),
    "hps": Preset(
        title="HPSv2",
        texts={"alignment": ("{prompt}",)},
        factor=1.0,
        resize="contain",
        activation="gelu",
        size="ViT-H/14",
        lead="How much people prefer an image for its prompt: CLIP ViT-H/14 tuned on rankings (HPSv2, HPSv2.1).",
        needs="HPS_v2.1_compressed.pt or HPS_v2_compressed.pt, which hold all weights",
        source="xswu/HPSv2 on Hugging Face",
        license="Apache-2.0",
        reading="Score: the cosine, about 0.13 to 0.35; tables of others show it times 100.",
        terms="Code and weights are published under Apache-2.0.",
        limits=(
            "The longer side is resized to CLIP's and the rest is black. The authors resize numbers with a "
            "fraction where whole ones are resized here, and their black border may lie a pixel aside.",
            CUT,
            OWN_PROMPT,
            "Scores of version 2.0 and of 2.1 are not comparable: name them apart by `--id` and `--version`.",
        ),
    ),
}


def score_range(preset: Preset, scale: float) -> tuple[float, float]:
    """What scores are cut to; `scale` is that of the weights."""
    if preset.kind == "prompt":
        factor = scale if preset.factor is None else preset.factor
        low, high = (round(end * factor, 4) for end in COSINES)
        return low, high
    return HEAD_RANGE if preset.kind == "head" else SHARE_RANGE
