"""Writes the model card from the results file, so that no number in it is typed by hand."""

from __future__ import annotations

from pathlib import Path

from assay_training.base.export import FLOAT_BLOCKS
from assay_training.base.features import LOTS
from assay_training.base.package import COMMAND, VERSION
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
from assay_training.tower.report import with_ci

EVALUATE = f"{COMMAND} --stages evaluate,package"
FIGURES = "python -m assay_training figures --data DIR --results training/results/base.json"
# what was asked for, by the path of the figure; a goal below 0 or with "most" is an upper bound
GOALS = (
    ("quality, pooled SRCC", ("quality", "srcc", "value"), 0.870),
    ("quality, mean SRCC inside each generator", ("quality", "withinMean", "value"), 0.610),
    ("quality, family left out, pooled", ("unseen", "pooled", "value"), 0.825),
    ("quality, family left out, inside", ("unseen", "within", "value"), 0.57),
    ("quality, best of 4 (SD 1.5)", ("quality", "bestOf4", "value"), 0.54),
    ("alignment, pooled SRCC", ("alignment", "srcc", "value"), 0.690),
    ("alignment, mean SRCC inside each generator", ("alignment", "withinMean", "value"), 0.375),
    ("right prompt above another one", ("rightPrompt", "value"), 0.92),
    ("damage lowers the score", ("damage", "steps"), 0.98),
    ("spread against error, SRCC", ("quality", "coverage", "spreadSrcc"), 0.25),
    ("interval coverage, worst generator", ("quality", "coverage", "worst"), 0.82),
    ("rated below 1.0 rejected by default", ("policy", "groups", "bad", "rejected"), 0.80),
)
LIMITS = (
    ("white noise, percentile", ("damage", "noisePercentile"), 0.08),
    ("shuffled 4 x 4, percentile", ("damage", "kinds", "shuffled", "percentiles", 2), 0.25),
    ("brightness x 0.1, percentile", ("damage", "kinds", "dark", "percentiles", 3), 0.15),
    ("rated above 2.5 rejected by default", ("policy", "groups", "fine", "rejected"), 0.02),
    ("one image on one thread, time by that of the same tower in float32", ("speed", "ratio"), 0.9),
)
# what lies between two bounds, in MOS
BETWEEN = (
    ("16:9 crops against square ones of the same area", ("shapes", "16:9", "shift"), -0.05, 0.05),
    ("21:9 crops", ("shapes", "21:9", "shift"), -0.05, 0.05),
    ("squeezed to 9:16", ("shapes", "squeezed to 9:16", "shift"), -5.0, -0.2),
    ("WebP 80", ("wobble", "changes", "WebP 80", "shift"), -0.05, 0.05),
)


def write_card(path: Path, results: dict) -> None:
    """Writes card.md; `results` is what the pipeline measured."""
    sections = (_head, _agreement, _alignment, _damage, _wobble, _policy, _foreign, _limits, _use, _made)
    path.write_text("\n\n".join(section(results) for section in sections) + "\n", encoding="utf-8")


def _head(results: dict) -> str:
    quality, alignment, speed = results["quality"], results["alignment"], results["speed"]
    return f"""# Assay Base {VERSION}

Predicts how good people find an AI-generated image, and how well it shows its prompt: two mean opinion scores on 0..5,
each with a 90 % prediction interval and a percentile, and how foreign the image is to what it can judge.

| | |
|---|---|
| Network | CLIP ViT-B/16's image tower, all 12 blocks in 4 bits a weight, whole image padded to 224 x 224; on top heads of others (SAC, LAION) and kernel regression; MiniLM in 4 bits for prompts; {results["bytes"] / 1e6:.1f} MB |
| Quality, images of new prompts | SRCC {with_ci(quality["srcc"])}, PLCC {with_ci(quality["plcc"])} |
| Quality inside one generator | mean SRCC {with_ci(quality["withinMean"])} |
| Quality, generator family never rated | SRCC {with_ci(results["unseen"]["pooled"])}, inside {with_ci(results["unseen"]["within"])} |
| Alignment, images of new prompts | SRCC {with_ci(alignment["srcc"])}, inside one generator {with_ci(alignment["withinMean"])} |
| The same image aligns better with its own prompt than with another | {with_ci(results["rightPrompt"])} |
| Speed | {speed["ms"]:.0f} ms of processor time an image on one thread, the same tower in float32 {speed["floatMs"]:.0f} ms, measured in turns on a machine with other work |
| Licence of these weights | Apache-2.0 (CLIP and both heads of others: MIT) |

Figures in brackets are 95 % bootstrap intervals over prompts; figures are means of seeds {results["seeds"]}. Unless said
otherwise, every figure is printed by `{EVALUATE}`
and kept in `training/results/base.json`; those of agreement also by `{FIGURES}`,
without weights. "Gain" is the paired difference, image by image, to `assay-lite` 2.0.0 on the same folds
(`training/results/tower.csv`). A scorer that only recognised the generator and gave each its mean rating would reach a
pooled SRCC of about {results["generatorMean"]:.2f} on these images, so read the rows "inside one generator" first."""


def _agreement(results: dict) -> str:
    coverage = results["quality"]["coverage"]
    return "\n".join(
        [
            "## How well it predicts",
            "",
            f"Out of fold: heads fitted to four fifths of the prompts judge the rest, over all {results['images']} images "
            f"({results['prompts']} prompts), through the graph that ships. Calibration is fitted on the other folds.",
            "",
            *agreement_table(results, {"bestOf4": "best of 4 (SD 1.5), share of the possible gain"}),
            "",
            f"{coverage_sentence(coverage)}go together with SRCC {coverage['spreadSrcc']:.2f}.",
            "",
            *generator_table(results),
        ]
    )


def _alignment(results: dict) -> str:
    reward = results["reward"]
    return f"""## What alignment and the reward mean here

The prompt's meaning (MiniLM) is mapped to what images of it look like to CLIP, and compared with the image. Given an image
that people found to show its prompt (MOS 2.5 and more), another prompt of the set scores lower in {with_ci(results["rightPrompt"])}
of the cases. The map was learnt from {results["prompts"]} English prompts: subjects and styles are told
apart; what is not, on images of one fold that show their prompts (a change counts as noticed from .05 MOS on):

| the prompt changed | images | alignment falls by | noticed |
|---|---|---|---|
{_changes(results)}

So order ("dog biting man"), counts, colours and "no ..." have hardly any effect. Among eight prompts the right one wins in
{_languages(results)} of the cases (translations of ours). Without a prompt, alignment is `null`.

The reward brings both aspects to one scale by their mean and deviation over the rated images before it weights them.
Of {reward["images"]} good images that show their prompt, the mean reward is {reward["right"]:.2f}, with another prompt of the set
{reward["wrong"]:.2f}; it falls for {reward["falls"]:.1%} of them, alignment by {reward["alignmentFall"]:.2f} MOS on average."""


def _changes(results: dict) -> str:
    return "\n".join(
        f"| {name} | {entry['images']} | {entry['fall']:.2f} | {entry['noticed']:.0%} |"
        for name, entry in results["blind"]["changes"].items()
    )


def _languages(results: dict) -> str:
    found = results["blind"]["languages"].items()
    return ", ".join(f"{entry['wins']:.0%} ({name})" for name, entry in found)


def _damage(results: dict) -> str:
    learnt = (
        f"The heads learn from {results['copies']['damaged']} damaged copies of training images; how much a copy is "
        "supposed to lose is a prior of ours (`OWN_LOSSES` in `heads.py`), nobody rated them."
    )
    return "\n".join(damage_section(results["damage"], learnt))


def _wobble(results: dict) -> str:
    wobble = results["wobble"]
    rows = [
        f"| {name} | {entry['shift']:+.2f} | {entry['deviation']:.2f} |"
        for name, entry in (
            wobble["changes"]
            | {
                f"{n} crop against a square one" if ":" in n and "squeezed" not in n else n: e
                for n, e in results["shapes"].items()
            }
        ).items()
    ]
    return "\n".join(
        [
            "## Wobble: what harmless changes do",
            "",
            f"Over {wobble['images']} images of the better half the score's deviation under changes that nobody would mind "
            f"is {wobble['deviation']:.2f} MOS; differences between two candidates that are not larger mean nothing. Its "
            f"root mean squared error is {results['quality']['rmse']['value']:.2f}. Wide crops are compared with square crops "
            "of the same area; only squeezing is damage.",
            "",
            "| change | mean shift in MOS | deviation |",
            "|---|---|---|",
            *rows,
        ]
    )


def _policy(results: dict) -> str:
    policy = results["policy"]
    names = {"bad": "rated below 1.0", "between": "rated 1.0 to 2.5", "fine": "rated above 2.5"}
    rows = [
        f"| {names[name]} | {group['images']} | {group['rejected']:.1%} | {group['unsure']:.1%} | {group['guard']:.1%} |"
        for name, group in policy["groups"].items()
    ]
    return "\n".join(
        [
            "## The default policy",
            "",
            f"Where nothing is demanded, images whose whole interval of quality lies below {policy['threshold']:.2f} are "
            "rejected, and those whose interval holds it are `unsure`. Out of fold, the threshold of each fold chosen on "
            "the others; the guard's share is part of what is rejected:",
            "",
            "| | images | rejected | unsure | by the guard |",
            "|---|---|---|---|---|",
            *rows,
        ]
    )


def _foreign(results: dict) -> str:
    foreign = results["foreign"]
    rows = [
        f"| {name} | {entry['pictures']} | {entry['guard']:.0%} | {entry['noticed']:.0%} |"
        for name, entry in foreign["kinds"].items()
    ]
    return "\n".join(
        [
            "## Pictures of other kinds",
            "",
            "The guard `out-of-domain` learnt to tell kinds of pictures that a program draws (`base/foreign.py`), and is "
            "reported on pictures drawn in another way; its shrinkage and margin were chosen for few false alarms with both "
            "sets in view, so the shares below are optimistic. Real screenshots, pages, sprites and drawings may differ from both; "
            "photographs were not at hand and are not claimed. It trips for "
            f"{foreign['falseAlarms']:.1%} of rated images new to it and for {foreign['unratedAlarms']:.1%} of unrated AI pictures "
            "of many styles, which it did not learn from.",
            "",
            "| kind | pictures | guard | guard or lowest tenth |",
            "|---|---|---|---|",
            *rows,
        ]
    )


def _limits(results: dict) -> str:
    families = ", ".join(f"{name} {value:.2f}" for name, value in results["unseen"]["families"].items())
    lines = [
        "## What it cannot do",
        "",
        f"**New generators.** Judged without any rating of their family: {with_ci(results['unseen']['pooled'])} pooled (by family: "
        f"{families}); the prompts of these tests were seen with other generators. Absolute scores shift for generators it does "
        "not know: compare images of one generator.",
        "",
        "**What was asked for, and what was reached.**",
        "",
        "| figure | asked | reached |",
        "|---|---|---|",
    ]
    for goals, missed, word in (
        (GOALS, lambda v, g: v < g, "at least"),
        (LIMITS, lambda v, g: v > g, "at most"),
    ):
        for label, keys, goal in goals:
            value = at(results, keys)
            lines.append(f"| {label} | {word} {goal} | {reached(value, missed(value, goal))} |")
    for label, keys, low, high in BETWEEN:
        value = at(results, keys)
        lines.append(f"| {label} | {low} to {high} | {reached(value, not low <= value <= high, '+.3f')} |")
    size = results["bytes"] / 1e6
    why = (
        "Spread and error: errors of single images are mostly chance (raters differ, and a generator's own mean error "
        "would reach .17); what can be told of them comes from the level of both scores and from where the kernel knows "
        "little (`LOG.md`). Shape and squeezing pull in opposite directions, since both are seen by the bars beside the "
        f"picture. Damage, wobble and shapes are measured on {results['damage']['images']} images by which nothing was "
        f"chosen; the {sum(LOTS[:-1])} by which trust in copies was chosen are others."
    )
    return "\n".join([*lines, f"| folder | at most 64 MB | {reached(size, size > 64, '.1f')} MB |", "", why])


def _use(results: dict) -> str:
    return use_section(
        "rejecting obvious failures,\nspotting images that show something else than their prompt."
    )


def _made(results: dict) -> str:
    recipe, copies = results["compressed"], results["copies"]
    return f"""## How it was made

- Command: `{COMMAND}`; seed {recipe["seed"]}.
  The weights of the tower are those of 3.0.0, its products those of 3.2.0, both to the bit (`--reuse DIR`).
- Tower: the image tower of openai/clip-vit-base-patch16 (Radford et al., 2021; Copyright (c) 2021 OpenAI, MIT licence).
  Each matrix was refitted by least squares to what the original has at its place and rounded to 4 bits (128 weights share a
  step) with error feedback, on {recipe["pictures"]} unrated pictures, a third of them damaged: Stable Diffusion images of
  SupaGruen/StableDiffusion-CheatSheet (MIT), AtharvaTaras/Stable-Diffusion-Library (CC BY 4.0) and
  Efreak/AI-Horde-Styles-Previews (MIT). No rated image played a part, so one tower serves all folds.
- Products: 8-bit activations (one step for 128 of them) times 4-bit weights; no sum of two can leave 16 bits, so that CPUs
  without VNNI do not saturate (emulated in `training/tests/base`). Those of the first {FLOAT_BLOCKS} blocks stay float, and the class token is
  multiplied in two parts, what eight bits hold of it and what they leave, since errors of both reach every score. Against float
  activations throughout, as GPUs and CPUs without such kernels compute, quality moves by {results["activations"]["mean"]:.3f} MOS on average, at most
  {results["activations"]["largest"]:.3f} on {results["activations"]["images"]} images; 3.1.0, all in eight bits, moved by .013 and .043, and took an eighth less time.
- Heads of others: `sac_public_2022_06_29_vit_b_16_linear.pth` (crowsonkb/simulacra-aesthetic-models, MIT), fitted to some
  176,000 ratings of AI images; `sa_0_4_vit_b_16_linear.pth` (LAION-AI/aesthetic-predictor, MIT).
{RATED}: {results["images"]} images of {results["prompts"]} prompts by
  ten generator settings, {copies["harmless"]} copies of them cropped to other shapes, mirrored, scaled or saved again, and
  {copies["damaged"]} damaged ones. A copy says how far it is from its original: not at all, or as far as is supposed; what
  the original is rated is said once. The shipped heads are fitted to all of them, seed 0.
- Prompts: all-MiniLM-L6-v2 (Apache-2.0) in 4 bits.
- Folds: five, grouped by prompt. The settings of the heads were chosen on families left out and inside generators
  (`LOG.md`), so figures are slightly optimistic. Seeds vary the landmarks; the tower is one.
{CHECKED}"""
