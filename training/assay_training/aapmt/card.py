"""Writes the card of a converted ImageReward or AAPMT."""

from __future__ import annotations

from assay_training.aapmt.checkpoint import Checkpoint
from assay_training.aapmt.config import HEADS, Reading

SOURCES = """## Source and licence

Net: BLIP's ViT-L/16 and BERT-base with cross-attention to the image (Li et al., arXiv 2201.12086), with linear
layers on the feature of `[CLS]` (ImageReward, Xu et al., arXiv 2304.05977). Written anew from a description; only
names of tensors, texts and constants are taken over."""

BASE_LICENCE = "ImageReward's code and weights (THUDM/ImageReward) are published under Apache-2.0."

TUNED_LICENCE = """AAPMT's repository holds no licence and no weights: whose the weights of this folder are, and what
may be done with them, is for those to say who trained them. They start from ImageReward, which is published under
Apache-2.0."""

LIMITS = """## Limits

- A text counts up to 35 word pieces, `[CLS]` and `[SEP]` included; what follows in a long prompt has no effect.
- The shorter side is resized to 224 pixels and the rest is cut off at the centre: neither details nor margins
  are seen.
- Prompts are lower-cased English; entities and mangled encodings are read as they stand, as ImageReward reads
  them. Scores have no interval."""

BASE_FIGURES = """- Published for alignment on AGIQA-3K, not measured here: SRCC 0.730, PLCC 0.786. Quality and
  authenticity, if present, are the same reward for another text. It was not trained to judge them."""

TUNED_FIGURES = """- The figures that AAPMT reports are not repeated here: its evaluation reads the first rows of the
  data set in place of the held-out ones, and most of their prompts were trained on. Measure on images of your own."""


def card(reading: Reading, checkpoint: Checkpoint, texts: dict[str, str]) -> str:
    """Markdown: what it is, how it is read, where it comes from, and what of the checkpoint has no effect."""
    base = reading.normalised
    sections = [
        _head(reading, checkpoint.model.metric),
        _read(reading, checkpoint.model.metric, texts),
        SOURCES,
        BASE_LICENCE if base else TUNED_LICENCE,
        LIMITS + "\n" + (BASE_FIGURES if base else TUNED_FIGURES),
        _not_loaded(checkpoint.dead),
    ]
    return "\n\n".join(sections) + "\n"


def _head(reading: Reading, metric: bool) -> str:
    if reading.normalised:
        return "# ImageReward\n\nHow much people prefer an image for its prompt."
    if metric:
        return "# AAPMT, Metric Transformer\n\nThree opinion scores on 0..5 from ImageReward's features."
    aspect = reading.aspects[0]
    return f"# AAPMT, {aspect}\n\nOpinion scores on 0..5 from an ImageReward tuned to {aspect}."


def _read(reading: Reading, metric: bool, texts: dict[str, str]) -> str:
    rows = [f"| {name} | `{texts[name]}` |" for name in reading.aspects]
    notes = [_scale(reading)] + (_metric(reading) if metric else ["- The linear layers are one."])
    return "\n".join(["## How it is read", "", "| aspect | text |", "|---|---|", *rows, "", *notes])


def _scale(reading: Reading) -> str:
    if reading.normalised:
        return "- Scores are normalised rewards, as ImageReward publishes them; the range -3..3 cuts off outliers."
    return "- Scores are raw outputs: training regresses them to opinion scores without normalisation."


def _metric(reading: Reading) -> list[str]:
    heads = ", ".join(f"{aspect} by `wv_{output}`" for aspect, output in HEADS[reading.heads].items())
    return [
        f"- Heads are read {reading.heads}: {heads}. Training takes the first output for alignment and the",
        "  second for quality, whatever their names say.",
        f"- An aspect's feature is `{reading.features}` (`own`: of its own text; `mean`, `sum`: of all three texts'",
        "  features; `prompt`: of the prompt). The checkpoint does not record which one it was trained with.",
        "- The transformer attends over sequences of length one, so that only its values count. It is reduced to",
        "  them, which changes no score and lets images be scored in batches.",
    ]


def _not_loaded(dead: list[str]) -> str:
    title = "## Not loaded\n\n"
    if not dead:
        return title + "Nothing: every tensor of the checkpoint has an effect."
    return title + "\n".join(["No effect on the scores:", "", *(f"- `{key}`" for key in sorted(dead))])
