"""Writes the card of a converted MANIQA."""

from __future__ import annotations

from assay_training.maniqa.config import TrainedOn

VIEWS = {
    "whole": "The whole image is squeezed to a square of the net's size, as OpenCV's cubic kernel does it.",
    "windows": "Windows of the image at its own size are looked at, evenly spread over it, and their scores "
    "averaged. An image with a shorter side is enlarged to a window (Pillow, linear).",
}
TEXT = """# MANIQA

Technical quality of an image by a vision transformer whose channels and windows attend to one another. It
knows nothing of a prompt, and was trained on photographs and what distorts them, not on generated images.

## How it is read

- Weights trained on {title}; what a layer of windows adds counts {scale:g}. The file says neither.
- {view}
- Scores are cut to {low:g}..{high:g}. In training the ratings of a set are brought to 0..1, so that scores of
  weights trained on different sets are not comparable: name them apart by `--id`.

## Source and licence

Yang et al., MANIQA, arXiv 2204.08958. Code and weights are published under Apache-2.0 (IIGROUP/MANIQA on
GitHub, releases). Ratings and images of the set have licences of their own.

## Limits

- Where the authors cut 20 windows at random, or corners and centre, windows lie at fixed places here.
- At 224 pixels the whole of a large image has lost its fine grain; windows see it, but nothing as a whole.
"""


def card(reading: TrainedOn, limits: tuple[float, float], dead: list[str]) -> str:
    """Markdown: what it is, how it is read, where it comes from, and what of the checkpoint has no effect."""
    low, high = limits
    told = {"title": reading.title, "scale": reading.scale, "view": VIEWS[reading.view]}
    return TEXT.format(**told, low=low, high=high) + "\n" + not_loaded(dead)


def not_loaded(dead: list[str]) -> str:
    """The section on keys that have no effect, by their first two parts."""
    title = "## Not loaded\n\n"
    if not dead:
        return title + "Nothing: every tensor of the checkpoint has an effect.\n"
    counts: dict[str, int] = {}
    for key in dead:
        part = ".".join(key.split(".")[:3])
        counts[part] = counts.get(part, 0) + 1
    rows = [f"- `{part}` ({count})" for part, count in sorted(counts.items())]
    return title + "\n".join(["No effect on the scores:", "", *rows]) + "\n"
