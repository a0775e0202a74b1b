"""The card's part on Diff-AGIQA: what it is, where it comes from, how this conversion reads it."""

from __future__ import annotations

from collections.abc import Sequence

from assay_training.diff_agiqa.config import CHUNKS, SHORT_WORDS, Config
from assay_training.diff_agiqa.spread import NOISES, Spread

TEXT = """# Diff-AGIQA

Quality of AI-generated images, seen by a diffusion model: an image is brought a little into noise, Stable Diffusion 1.5
looks at it with its prompt, and a head reads five of its inner activations. "Text-to-Image Diffusion Models are
AI-Generated Image Quality Scorers", ICME 2025. The network is re-implemented from the published description and code.

## Source and licence

Head: the checkpoint of github.com/sxfly99/Diff-AGIQA, which names no licence. Weights of Stable Diffusion 1.5: CreativeML
Open RAIL-M; its terms go with this folder. Trained on AGIQA-1K, by the published code; nothing here says that the weights
of Stable Diffusion are those that the head was trained with: a model tuned from 1.5 has the same shapes.

## How it is read

- Images of {side} x {side} are taken as they are. Others are brought to it (bicubic, the sides stretched), which the published code cannot do.
- The mean of the encoder's posterior is taken, where the published code draws from it.
- {noises}. The published code draws a new one for each run.
- Prompts of more than {words} words (parts between single spaces) are read in chunks of {context} tokens, {chunks} at most; shorter ones are cut after {context} tokens.
- The prompt is mended as OpenAI's CLIP does, HTML entities included, which the published code leaves as they are.
- It was trained with prompts, so it predicts nothing without one.

## How much the noise matters

Scores of two drawn images with {count} noises, one at a time, in float32, by this conversion:

| Image | Mean | Standard deviation | Lowest | Highest |
|---|---|---|---|---|
{rows}

Two runs of the published code on one image differ by about as much.{averaged}
"""
ONE = "One fixed noise, number 0, is added"
MANY = "The score is the mean over {count} fixed noises, which takes {count} times as long"


def card(config: Config, noises: int, spreads: Sequence[Spread]) -> str:
    """Markdown."""
    rows = [
        f"| {s.picture} | {s.mean:.3f} | {s.deviation:.3f} | {s.lowest:.3f} | {s.highest:.3f} |"
        for s in spreads
    ]
    averaged = f" The mean over {noises} differs less: by the root of {noises}." if noises > 1 else ""
    return TEXT.format(
        side=config.side,
        noises=ONE if noises == 1 else MANY.format(count=noises),
        words=SHORT_WORDS,
        context=config.text.context,
        chunks=CHUNKS,
        count=NOISES,
        rows="\n".join(rows),
        averaged=averaged,
    )
