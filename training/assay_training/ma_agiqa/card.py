"""Writes the card of a converted MA-AGIQA."""

from __future__ import annotations

from assay_training.ma_agiqa.config import LANGUAGE_MODEL, QUESTIONS
from assay_training.maniqa.card import not_loaded

GATES = {
    "linear": "The gate is linear, as in the authors' code; the paper draws a sigmoid.",
    "sigmoid": "The gate is a sigmoid, as the paper draws it; the authors' code has none.",
}
TEXT = """# MA-AGIQA

Quality of AI-generated images: MANIQA's patches, and what a language model holds of the image when it is
asked two questions. The prompt of the image plays no part.

## How it is read

- The whole image is squeezed to a square of the net's size, as OpenCV's cubic kernel does it.
- {model} looks at the image as it is and is asked, each time anew:
{questions}
  What counts is the mean of its last hidden states over all positions. It is never asked to answer.
- {gate}
- Scores are cut to {low:g}..{high:g}.

## Source and licence

Wang et al., ACM MM 2024, arXiv 2404.17762. Code and weights are published under Apache-2.0 (wangpuyi/MA-AGIQA
on GitHub). The language model has a licence of its own.

## Limits

- Without the language model there is no score. Another one, or other numbers of the same (4 bits, say), gives
  other scores: the weights were trained on its states in float16.
- Published for AGIQA-3K, not measured here: SRCC 0.894, PLCC 0.927, with images of one prompt on both sides
  of the split.
"""


def card(gate: str, limits: tuple[float, float], dead: list[str]) -> str:
    """Markdown: what it is, how it is read, where it comes from, and what of the checkpoint has no effect."""
    questions = "\n".join(f"  - `{question}`" for question in QUESTIONS.values())
    told = {"model": LANGUAGE_MODEL, "questions": questions, "gate": GATES[gate]}
    return TEXT.format(**told, low=limits[0], high=limits[1]) + "\n" + not_loaded(dead)
