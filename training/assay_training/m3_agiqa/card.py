"""Writes the card of a converted M3-AGIQA."""

from __future__ import annotations

from assay_training.m3_agiqa.checkpoint import Checkpoint
from assay_training.m3_agiqa.config import MODEL, Questions
from assay_training.recognise import listed

TEXT = """# M3-AGIQA ({aspect})

{title} of AI-generated images, by what a language model holds of a conversation about the image. The model
describes the image first, and is then asked to rate it in a word, which it never says: its hidden states up to
there are read by an xLSTM, whose mean over all positions gives the score.

## How it is read

- The language model is {model} with the LoRA adapter that belongs to this predictor, merged.
- It is asked the questions `{questions}`:
  - {first}
  - (its own answer)
  - {second}
- The first {positions} positions of the conversation are read, as in training; what is cut is told.
- Upstream reads the logits of all words. That map and the model's output layer are one here, from states to
  512 numbers, so that logits need not exist: the same numbers but for the rounding of upstream's float16 logits.
- Without a prompt there is no score. Scores are cut to 0..5, as upstream cuts them.

## Source and licence

Cui et al., "M3-AGIQA", arXiv 2502.15167; predictors on Hugging Face, strawhat/m3-agiqa-predictor-checkpoints; code
under the licence in strawhatboy/M3-AGIQA. The language model has a licence of its own.

## Limits

- Without the language model there is no score. In other precision, or with answers that are searched for in
  another way, it gives other scores: upstream runs it in float16, and searches with three beams and a penalty
  on repetition, as its authors' `chat` does. The reference server does the same.
- Large images take many positions (a view takes 98, and there are up to 10): where the image alone takes more
  than {positions}, there is an error. Start the server with fewer `--slices`: 4 is what the predictor of AIGIQA-20K
  was trained with.
- Published, not measured here: SRCC 0.905 and PLCC 0.932 for quality on AGIQA-3K, with images of one prompt on
  both sides of the split.

The scalar memory's weights were laid out by the {backend} backend.{dead}
"""


def card(asked: Questions, questions: str, positions: int, loaded: Checkpoint) -> str:
    """Markdown: what it is, how it is read, where it comes from, and what of the checkpoint has no effect."""
    dead = f" Not loaded, since it has no effect: {listed(loaded.dead)}." if loaded.dead else ""
    told = {
        "aspect": asked.aspect,
        "title": asked.aspect.capitalize(),
        "model": MODEL,
        "questions": questions,
        "first": asked.first.strip(),
        "second": asked.second,
        "positions": positions,
        "backend": "CUDA" if loaded.backend == "cuda" else "plain PyTorch",
        "dead": dead,
    }
    return TEXT.format(**told)
