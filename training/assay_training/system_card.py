"""The card of a converted system: what its authors' part says, then what conversion did and measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from assay_training.calibration import COVERAGE
from assay_training.reference import Fitted
from assay_training.variant_distance import MOST, Distance
from assay_training.window_effect import Effect

UNFITTED = """Nothing was fitted, since no rated images were given. A score is the scorer's own number, cut to the range.
The interval is the whole range: it states nothing.
"""
SOURCES = {
    "golden": """Percentiles are places among {images} computer-drawn test images and degraded copies of them. Those are no
sample of images that people make, so percentiles mean little.""",
    "images": "Percentiles are places among the scores of {images} reference images.",
    "range": """Percentiles are places in the range, since scores of reference images need the language model, which
conversion does not ask. Variants are compared, and golden results made, with made-up states in its place.""",
}
BLIND = """The prompts of the reference images are not known. Aspects that need a prompt ({aspects}) got an empty one for
them, so their percentiles compare images with their prompts to images without: they order images, but their level
means little."""
RATED = """Fitted to {images} rated images: {rated}. A score is a predicted mean opinion score on 0..5. The interval is to
hold {coverage:.0%} of the ratings of images like these; its width comes from errors on folds that the map was not fitted
to. Percentiles are places among the rated images. Whether the network was trained on these images is not known here;
if it was, intervals are too narrow for others."""
UNRATED = """There are no ratings of {aspects}: the score is the scorer's own number, and its interval is the whole range."""
WINDOWS = """Measured by this conversion on {images}, in float32: standard deviation of the network's own scores
over the images, and how far scores and their order are from those with all windows.

| Variant | Windows | Aspect | Views to compute | Spread of scores | Median distance | Rank correlation |
|---|---|---|---|---|---|---|
{rows}"""
DISTANCES = """Differences are shares of the range: the largest, and in brackets what {most:.0%} stay within. Measured
by this conversion, with these weights, on {pairs} pairs of image and prompt ({images}).
Of other pairs like these, about one in {more} is further off than the largest. 8 bits are felt the more, the further
apart a net's gates lie and the steeper its scores are."""
COMPARED = {
    "golden": "computer-drawn images and degraded copies of them",
    "images": "some of the reference images",
    "ratings": "some of the rated images",
    "range": "computer-drawn images and degraded copies of them, with made-up states of the language model",
}
NOTES = {
    "fp32": "the numbers of the checkpoint, in float32",
    "fp16": "weights and sums in float16, for GPUs; on a CPU it is no faster than `fp32`",
    "int8": "matrices of weights in 8 bits, with a scale for every 32; the rest, and what is computed once a prompt, "
    "as in `fp32`",
}


def card(
    system: str,
    manifest: dict,
    folder: Path,
    fitted: Fitted,
    apart: dict[str, dict[str, Distance]],
    effects: Sequence[Effect],
) -> str:
    """`system` followed by sections on variants, windows, calibration and meaning.

    apart: of the variants from the default one, by aspect. effects: of fewer windows, the default variant
    first; empty for a system without.
    """
    parts = [system.strip(), _variants(manifest, folder, fitted, apart)]
    if effects:
        parts.append(_windows(effects, fitted))
    return "\n\n".join([*parts, _calibration(manifest, fitted), _meaning(manifest)]) + "\n"


def _variants(manifest: dict, folder: Path, fitted: Fitted, apart: dict[str, dict[str, Distance]]) -> str:
    default = manifest["defaultVariant"]
    lines = [
        "## Variants",
        "",
        f"| Variant | Files | Difference to `{default}` | What it is |",
        "|---|---|---|---|",
    ]
    for name, variant in manifest["variants"].items():
        size = sum(
            part.stat().st_size
            for file in set(variant["graphs"].values())
            for part in folder.glob(f"{file}*")
        )
        found = ", ".join(
            f"{aspect} {one.largest:.2%} ({one.most:.2%})" for aspect, one in apart.get(name, {}).items()
        )
        lines.append(
            f"| `{name}` | {size / 1e6:.1f} MB | {found or 'none'} | {_note(name, variant, manifest)} |"
        )
    if apart:
        pairs = next(iter(next(iter(apart.values())).values())).pairs
        told = DISTANCES.format(most=MOST, pairs=pairs, images=COMPARED[fitted.source], more=pairs + 1)
        lines += ["", told]
    return "\n".join(lines)


def _note(name: str, variant: dict, manifest: dict) -> str:
    if "windows" not in variant:
        return NOTES[name]
    count = manifest["image"]["windows"]["count"]
    return f"the files of `{manifest['defaultVariant']}` on {variant['windows']} of {count} windows"


def _windows(effects: Sequence[Effect], fitted: Fitted) -> str:
    most = effects[0].count
    rows = [
        f"| `{e.variant}` | {e.count} | {e.aspect} | {e.count + 1} of {most + 1} | {e.spread:.3g} | {e.apart:.2g} "
        f"| {e.agreement:.3f} |"
        for e in effects
    ]
    return "## Windows\n\n" + WINDOWS.format(images=COMPARED[fitted.source], rows="\n".join(rows))


def _calibration(manifest: dict, fitted: Fitted) -> str:
    if fitted.source != "ratings":
        text = UNFITTED + SOURCES[fitted.source].format(images=fitted.images)
        more = BLIND.format(aspects=", ".join(fitted.blind)) if fitted.blind else ""
    else:
        unrated = [name for name in fitted.calibrations if name not in fitted.rated]
        rated = " and ".join(fitted.rated) or "none of these aspects"
        text = RATED.format(images=fitted.images, rated=rated, coverage=COVERAGE)
        more = UNRATED.format(aspects=", ".join(unrated)) if unrated else ""
    return "\n\n".join(part for part in ("## Calibration", text, more) if part)


def _meaning(manifest: dict) -> str:
    lines = ["## What the numbers mean", ""]
    for name, aspect in manifest["aspects"].items():
        if aspect is None:
            lines.append(f"- {name}: not predicted")
            continue
        low, high = aspect["range"]
        prompt = "only with a prompt" if aspect["needsPrompt"] else "with or without a prompt"
        lines.append(f"- {name}: {low:g} (worst) to {high:g} (best), {prompt}")
    weights = ", ".join(f"{name} {weight:g}" for name, weight in manifest["reward"]["weights"].items())
    lines += ["", f"The reward is the weighted mean of the aspects, each scaled to 0..1; weights: {weights}."]
    return "\n".join(
        [*lines, "Conversion measured nothing against people's ratings; `assay eval` does, on rated images."]
    )
