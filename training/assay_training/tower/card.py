"""Writes the model card from the results file, so that no number in it is typed by hand."""

from __future__ import annotations

from pathlib import Path

from assay_training.card_tables import (
    CHECKED,
    RATED,
    agreement_table,
    at,
    coverage_sentence,
    damage_section,
    generator_table,
    reached,
    use_section,
)
from assay_training.tower.features import COPIES
from assay_training.tower.package import COMMAND, VERSION
from assay_training.tower.report import with_ci

FIGURES = "python -m assay_training figures --data DIR"
EVALUATE = f"{COMMAND} --stages evaluate,package"
# what the scorer was to reach, by the path of the figure
GOALS = (
    ("quality, pooled SRCC", ("quality", "srcc", "value"), 0.865),
    ("quality, mean SRCC inside each generator", ("quality", "withinMean", "value"), 0.63),
    ("quality, family left out, pooled SRCC", ("unseen", "pooled", "value"), 0.74),
    ("quality, best of 4 (SD 1.5), share of the possible gain", ("quality", "bestOf4", "value"), 0.64),
    ("alignment, pooled SRCC", ("alignment", "srcc", "value"), 0.70),
    ("alignment, mean SRCC inside each generator", ("alignment", "withinMean", "value"), 0.38),
    ("right prompt beats another one", ("rightPrompt", "value"), 0.80),
)


def write_card(path: Path, results: dict) -> None:
    """Writes card.md; `results` is what the pipeline measured."""
    sections = [_head(results), _quality(results), _alignment(results), _robust(results), _limits(results)]
    path.write_text("\n\n".join([*sections, _use(results), _made(results)]) + "\n", encoding="utf-8")


def _head(results: dict) -> str:
    quality, alignment = results["quality"], results["alignment"]
    return f"""# Assay Lite {VERSION}

Predicts how good people find an AI-generated image, and how well it shows its prompt: two mean opinion scores on 0..5,
each with a 90 % prediction interval and a percentile, and how foreign the image is to what was rated.

| | |
|---|---|
| Network | first 10 blocks of CLIP ViT-B/16 in 2 bits a weight, whole image stretched to 160 x 160; kernel regression on top; {results["speed"]["bytes"] / 1e6:.1f} MB |
| Quality, images of new prompts | SRCC {with_ci(quality["srcc"])}, PLCC {with_ci(quality["plcc"])} |
| Quality inside one generator | mean SRCC {with_ci(quality["withinMean"])} |
| Quality, generator family never rated | pooled SRCC {with_ci(results["unseen"]["pooled"])} |
| Alignment, images of new prompts | SRCC {with_ci(alignment["srcc"])}, inside one generator {with_ci(alignment["withinMean"])} |
| The same image aligns better with its own prompt than with another | {with_ci(results["rightPrompt"])} |
| Speed | {results["speed"]["ms"]:.1f} ms an image on one thread of a 2.5 GHz Xeon with VNNI |
| Licence of these weights | Apache-2.0 |

Figures in brackets are 95 % bootstrap intervals over prompts; figures are means of seeds {results["seeds"]}. Unless said
otherwise, every figure is printed by `{EVALUATE}`
and kept in `training/results/tower.json`; those of agreement also by `{FIGURES}`, from the scores
per image beside it and without weights. "Gain" is the paired difference, image by image, to `assay-lite` 1.0.0 trained
again on the same folds (one seed; `training/results/last.csv`).
A scorer that only recognised the generator and gave each its mean rating would reach a pooled SRCC of about
{results["generatorMean"]:.2f} on these images, so read the rows "inside one generator" first."""


def _quality(results: dict) -> str:
    table = results["quality"]
    coverage = table["coverage"]
    return "\n".join(
        [
            "## How well it predicts quality",
            "",
            f"Out of fold: heads fitted to four fifths of the prompts judge the rest, over all {results['images']} images "
            f"({results['prompts']} prompts), through the int8 graph. Calibration is fitted on the other folds.",
            "",
            *agreement_table(results),
            "",
            f"{coverage_sentence(coverage)}"
            f"go together with SRCC {coverage['spreadSrcc']:.2f}, so its width says something, but little, about which "
            "single image is judged wrongly.",
            "",
            *generator_table(results),
            "",
            f"Best of 4: choosing among four Stable Diffusion 1.5 images of one prompt by quality gains "
            f"{with_ci(table['bestOf4'])} of what choosing can gain.{_doubt(table['bestOf4'])}",
        ]
    )


def _doubt(entry: dict) -> str:
    """What is left of a gain whose interval holds 0."""
    gain = entry.get("gain")
    if gain is None or not gain["ci"][0] <= 0 <= gain["ci"][1]:
        return ""
    return " The interval of this gain holds 0: on these prompts, that the choice is better may be chance."


def _alignment(results: dict) -> str:
    table, place = results["alignment"], results["alignment"]["qualityInItsPlace"]
    coverage = table["coverage"]
    return f"""## What alignment means here

The image is compared with the words of the prompt in the space of a small sentence encoder. Given an image that
people found to show its prompt (MOS 2.5 and more), another prompt of the set scores lower in
{with_ci(results["rightPrompt"])} of the cases. It tells subjects apart, hardly counts, places or relations. The quality score in its
place would rank alignment with SRCC {place["srcc"]:.3f} pooled and {place["within"]:.3f} inside generators. Its 90 % interval held
{coverage["value"]:.1%} of the ratings (worst generator {coverage["worst"]:.0%}). Without a prompt, alignment is `null`."""


def _robust(results: dict) -> str:
    learnt = (
        "Percentiles are among all images, heads never saw the original. The heads learn from "
        f"{COPIES} randomly damaged copies of each training image; how much a copy is supposed to lose is a prior "
        "of ours (`LOSSES` in `heads.py`), nobody rated them."
    )
    return "\n".join(damage_section(results["damage"], learnt))


def _limits(results: dict) -> str:
    unseen, aligned = results["unseen"], results["unseenAlignment"]
    families = ", ".join(f"{name} {value:.2f}" for name, value in unseen["families"].items())
    lines = [
        "## What it cannot do",
        "",
        f"**New generators.** Judged without any rating of their family: quality {with_ci(unseen['pooled'])} pooled, "
        f"{with_ci(unseen['within'])} inside each generator (by family: {families}); alignment "
        f"{with_ci(aligned['pooled'])}. The prompts of these tests were seen with other generators. Absolute scores shift "
        "for generators it does not know: compare images of one generator, and do not reuse a threshold across them.",
        "",
        "**Short of its goals.** What was aimed at, and what was reached:",
        "",
        "| figure | at least | reached |",
        "|---|---|---|",
    ]
    for label, keys, goal in GOALS:
        value = at(results, keys)
        lines.append(f"| {label} | {goal} | {reached(value, value < goal)} |")
    lines += [
        f"| int8, one image on one thread | at most 30 ms | {results['speed']['ms']:.0f} ms{', missed' if results['speed']['ms'] > 30 else ''} |",
        "",
        "The tower it is made from (all 12 blocks in 8 bits at 224 x 224, 86 MB) reaches 0.873 pooled, 0.611 inside "
        "generators and 0.54 in the choice of four, so these goals lie beyond features that were not themselves "
        "tuned to ratings. Tuning a smaller net to them lowered its figures on new prompts in the one fold where it was "
        "tried (`training/assay_training/tower/LOG.md`).",
    ]
    return "\n".join([*lines, "", *_foreign(results)])


def _foreign(results: dict) -> list[str]:
    table = results.get("foreign")
    if not table:
        return []
    return [
        "**Foreign pictures.** The guard `out-of-domain` trips for pictures whose features lie far outside those of the "
        f"rated ones (mean square over {results['domain']['limit']:.2f}). It trips for {results['domain']['falseAlarms']:.1%} of rated images new to the heads and for "
        f"{results['domain']['unratedAlarms']:.1%} of unrated Stable Diffusion pictures of other styles.",
        "",
        "| kind | pictures | caught | passed with more than median quality |",
        "|---|---|---|---|",
        *(
            f"| {kind} | {row['images']} | {row['caught']:.0%} | {row['overrated']:.0%} |"
            for kind, row in table.items()
        ),
    ]


def _use(results: dict) -> str:
    return use_section("spotting failures and\nimages that show something else than their prompt.")


def _made(results: dict) -> str:
    recipe = results["compressed"]
    return f"""## How it was made

- Command: `{COMMAND}`; seed {recipe["seed"]}.
- Tower: the image tower of openai/clip-vit-base-patch16 (Radford et al., 2021; Copyright (c) 2021 OpenAI, MIT licence),
  cut after 10 of 12 blocks, with fewer neurons in the late ones. Every four weights are one of 256 vectors; matrices were
  refitted by least squares and rounded with error feedback on {recipe["pictures"]} unrated pictures, a third of them damaged:
  Stable Diffusion images of SupaGruen/StableDiffusion-CheatSheet (MIT), AtharvaTaras/Stable-Diffusion-Library (CC BY 4.0)
  and Efreak/AI-Horde-Styles-Previews (MIT). No rating and no rated image played a part in it, so one tower serves all folds.
{RATED}: {results["images"]} images of {results["prompts"]} prompts by
  ten generator settings. The shipped heads are fitted to all of them, seed 0; only they saw ratings.
- Prompts: word pieces embedded once by all-MiniLM-L6-v2 (Apache-2.0), averaged per prompt.
- Folds: five, grouped by prompt. The tower and the kind of head were chosen on these same folds (`LOG.md`), so
  figures are slightly optimistic. Seeds vary the landmarks; the tower is one.
{CHECKED}"""
