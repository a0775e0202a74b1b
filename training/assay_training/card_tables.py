"""What the cards of both scorers that ship have in common: tables and sentences, from their results."""

from __future__ import annotations

from assay_training.tower.features import LADDERS
from assay_training.tower.report import with_ci

AGREEMENT = {
    "srcc": "SRCC",
    "plcc": "PLCC",
    "krcc": "KRCC",
    "rmse": "RMSE (MOS units)",
    "withinMean": "mean SRCC inside each generator",
}
ASPECTS = ("quality", "alignment")
RATED = """- Ratings and images: AGIQA-3K (Li et al., "AGIQA-3K: An Open Database for AI-Generated Image Quality
  Assessment", IEEE TCSVT 2023, doi 10.1109/TCSVT.2023.3319020; github.com/lcysyzxdxc/AGIQA-3k-Database, MIT
  licence; some mirrors add "academic use" notes)"""
CHECKED = """- Calibration: an increasing piecewise-linear map and a conformal interval, fitted to out-of-fold outputs.
- What was trained here is licensed under Apache-2.0; no image of the data sets is part of this folder. The golden
  images are drawn by a program.
- `python -m assay_training verify DIR` rechecks hashes, golden results, and that batch size, order
  and thread count change no score by more than 0.0001."""


def at(results: dict, keys: tuple[str | int, ...]):
    """A figure by its path."""
    for key in keys:
        results = results[key]
    return results


def reached(value: float, missed: bool, form: str = ".3f") -> str:
    """A figure beside its goal."""
    return f"{value:{form}}{', missed' if missed else ''}"


def agreement_table(results: dict, more: dict[str, str] | None = None) -> list[str]:
    """Both aspects beside each other; `more` names further figures of them."""
    return [
        "| | quality | alignment |",
        "|---|---|---|",
        *(
            f"| {label} | " + " | ".join(with_ci(results[aspect][key]) for aspect in ASPECTS) + " |"
            for key, label in (AGREEMENT | (more or {})).items()
        ),
    ]


def generator_table(results: dict) -> list[str]:
    """How well each generator's images are told apart, and how often the interval of quality holds."""
    inside = {aspect: results[aspect]["within"] for aspect in ASPECTS}
    return [
        "| generator | SRCC of quality inside | interval coverage | SRCC of alignment inside |",
        "|---|---|---|---|",
        *(
            f"| {name} | {inside['quality'][name]:.2f} | {share:.2f} | {inside['alignment'][name]:.2f} |"
            for name, share in results["quality"]["coverage"]["generators"].items()
        ),
    ]


def coverage_sentence(coverage: dict) -> str:
    """What the interval of quality holds."""
    return (
        f"The 90 % interval of quality held {coverage['value']:.1%} of the ratings (worst generator "
        f"{coverage['worst']:.0%}) and is {coverage['meanWidth']:.2f} MOS wide on average; spread and actual error "
    )


def damage_section(damage: dict, learnt: str) -> list[str]:
    """Steps that lower the score, and percentiles; `learnt` says how the heads know damage."""
    return [
        "## Damaged images",
        "",
        f"{damage['images']} images of the better half, made worse in three steps: {damage['steps']:.1%} of the steps "
        f"lower the score. {learnt}",
        "",
        "| damage | steps that fall | percentile, original and three steps |",
        "|---|---|---|",
        *(
            f"| {kind} {list(LADDERS[kind])} | {' / '.join(f'{s:.2f}' for s in entry['steps'])} | "
            f"{' > '.join(f'{p:.0%}' for p in entry['percentiles'])} |"
            for kind, entry in damage["kinds"].items()
        ),
        "",
        f"White noise lands at the {damage['noisePercentile']:.0%} percentile (and trips the `noise` guard).",
    ]


def use_section(purpose: str) -> str:
    """`purpose` ends what the scorer is meant for."""
    return f"""## Use

Meant for: ranking candidates of one prompt and one generator, sorting and filtering a folder, {purpose}

**Must not be used for:** telling real from generated, safety or content decisions, judging artists or people,
checking counts, text, anatomy or spatial relations, or as the only reward of a training loop."""
