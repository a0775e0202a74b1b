"""Sizes of the predictor, and what the language model is asked."""

from __future__ import annotations

from dataclasses import dataclass

ASPECTS = ("quality", "alignment", "authenticity")
MODEL = "openbmb/MiniCPM-Llama3-V-2_5"
RANGE = (0, 5)


@dataclass(frozen=True)
class Config:
    """Of the released predictors: all that their keys do not tell is fixed there, too."""

    hidden: int = 4096  # of the language model
    vocabulary: int = 128256
    width: int = 512
    blocks: int = 4
    scalar: tuple[int, ...] = (1,)  # blocks with the scalar memory; all others have the matrix one
    heads: int = 4
    expansion: int = 2  # of the matrix memory's blocks
    kernel: int = 4  # positions that a convolution sees
    block: int = 4  # of block-diagonal projections
    feed_forward: int = 704
    regressor: int = 128


FULL = Config()
TINY = Config(hidden=24, vocabulary=40, width=32, feed_forward=64, regressor=8)


@dataclass(frozen=True)
class Questions:
    """A set of questions: the one whose answer is read, and the one that stays open."""

    aspect: str
    first: str
    second: str


_WORDS = "[bad, poor, fair, good, excellent]"
_RATE_QUALITY = (
    "Based on your analysis, could you please rate the image's overall quality? Choose one word from the "
    f"following list: {_WORDS}, where the words range from low to high quality."
)
_RATE_ALIGNMENT = (
    "Based on your analysis, could you please rate the image's alignment with its original prompt? Choose one "
    f"word from the following list: {_WORDS}, where the words indicate the degree of alignment from low to high."
)
_RATE_AUTHENTICITY = (
    "Based on your analysis, could you please rate the image's authenticity? Choose one word from the "
    f"following list: {_WORDS}, where the words indicate the degree of authenticity from low to high."
)
_LOOK = "Please closely examine this AI-generated image and provide a detailed analysis of"
_AUTHENTICITY = (
    f"{_LOOK} its authenticity. The original prompt for the image was: '{{prompt}}'. How closely does the image "
    "resemble real artworks or scenes? Highlight any parts of the image that appear non-real or artificial."
)

# By the data a predictor was trained on, and by what upstream's own end-to-end script asks instead. Wording is data:
# models were trained on it.
QUESTIONS = {
    "agiqa-3k-quality": Questions(
        "quality",
        "Take a close look at this AI-generated image and tell me everything you can about what you see. It's "
        "original prompt is: '{prompt}'. Could you please help to analyze the image's quality?",
        "Now based on your analysis, could you please help to rate the image based on it's overall quality? "
        f"Please give me one word from the list {_WORDS}. Notice that quality word in the list means from low "
        "to high.",
    ),
    "quality": Questions(
        "quality",
        "Please closely examine this AI-generated image and provide a detailed analysis of its content and "
        "quality. The original prompt for the image was: '{prompt}' What can you deduce about the image based "
        "on this prompt, and how would you assess its overall quality?",
        _RATE_QUALITY,
    ),
    "alignment": Questions(
        "alignment", f"{_LOOK} how well it aligns with the original prompt: '{{prompt}}'.", _RATE_ALIGNMENT
    ),
    "authenticity": Questions("authenticity", f"{_AUTHENTICITY}\n", _RATE_AUTHENTICITY),
    "e2e-quality": Questions(
        "quality",
        f"{_LOOK} its overall quality. The original prompt for the image was: '{{prompt}}'. Consider aspects "
        "like visual clarity, composition, color balance, and technical execution.",
        _RATE_QUALITY,
    ),
    "e2e-alignment": Questions(
        "alignment",
        f"{_LOOK} its alignment with the original prompt. The original prompt for the image was: '{{prompt}}'. "
        "How well does the image match what was requested in the prompt?",
        _RATE_ALIGNMENT,
    ),
    "e2e-authenticity": Questions("authenticity", _AUTHENTICITY, _RATE_AUTHENTICITY),
}
