"""Writes the model card from the results file, so that no number in it is typed by hand."""

from __future__ import annotations

from pathlib import Path

from assay_training.lite.config import Config
from assay_training.lite.package import COMMAND
from assay_training.report import with_ci

EVALUATE = f"{COMMAND} --stages evaluate"


def write_card(path: Path, results: dict) -> None:
    """Writes card.md; `results` is what evaluate returned."""
    sections = [
        _head(results),
        _quality(results),
        _limits(results),
        _robust(results),
        _use(results),
        _made(results),
    ]
    path.write_text("\n\n".join(sections) + "\n", encoding="utf-8")


def _head(results: dict) -> str:
    table = results["quality"][results["default"]]
    kind, unseen = _unseen(results)
    return f"""# Assay Lite 1.0.0

Predicts how good people find an AI-generated image: a mean opinion score of perceived quality on 0..5, a 90 %
prediction interval and a percentile. It looks at the image alone and does not read the prompt.

| | |
|---|---|
| Network | EfficientNet-Lite0, 3.4 million parameters, whole image stretched to 320 x 320 |
| Files | `assay-lite.int8.onnx` and `assay-lite.fp32.onnx`; default: {results["default"]} |
| Quality, images of new prompts | SRCC {with_ci(table["srcc"])}, PLCC {with_ci(table["plcc"])} |
| Inside one generator | mean SRCC {with_ci(table["withinMean"])} |
| Generator family never trained on | pooled SRCC {with_ci(unseen["pooled"])} ({kind}) |
| Licence of these weights | Apache-2.0 |

Figures in brackets are 95 % bootstrap intervals over prompts. Unless said otherwise, every figure is printed
by `{EVALUATE}`
and kept in `training/results/lite.json`.
A scorer that only recognised the generator and gave each its mean rating would reach a pooled SRCC of about
{results["generatorMean"]:.2f} on these images, so read the row "inside one generator" first."""


def _quality(results: dict) -> str:
    rows = [
        f"| {label} | " + " | ".join(with_ci(results["quality"][v][key]) for v in ("int8", "fp32")) + " |"
        for key, label in (
            ("srcc", "SRCC"),
            ("plcc", "PLCC"),
            ("krcc", "KRCC"),
            ("rmse", "RMSE (MOS units)"),
            ("withinMean", "mean SRCC inside each generator"),
        )
    ]
    table = results["quality"][results["default"]]
    coverage, best = table["coverage"], table["bestOf4"]
    generators = [
        f"| {name} | {table['within'][name]:.2f} | {share:.2f} |"
        for name, share in coverage["generators"].items()
    ]
    return "\n".join(
        [
            "## How well it predicts quality",
            "",
            "Out of fold: five nets, each scoring the prompts it was not trained on, over all "
            f"{results['images']} images ({results['prompts']} prompts). Scores come from the exported graphs; "
            "their calibration is fitted on the other folds.",
            "",
            "| | int8 | fp32 |",
            "|---|---|---|",
            *rows,
            "",
            f"int8 costs {results['int8Loss']:.4f} SRCC. The 90 % interval held {coverage['value']:.1%} of the "
            f"ratings and is {coverage['meanWidth']:.2f} MOS wide on average. Its width follows the actual error only weakly (SRCC "
            f"{coverage['spreadSrcc']:.2f}): it tells little about which single image is judged wrongly.",
            "",
            f"| generator ({results['default']}) | SRCC inside | interval coverage |",
            "|---|---|---|",
            *generators,
            "",
            "Best of 4: choosing among four Stable Diffusion 1.5 images of one prompt, the pick is rated "
            f"{best['pick']:.2f} on average (random {best['random']:.2f}, best possible {best['best']:.2f}): "
            f"{best['gain']:.0%} of what choosing can gain "
            f"({best['gainCi'][0]:.0%} to {best['gainCi'][1]:.0%}).",
        ]
    )


def _limits(results: dict) -> str:
    kind, table = _unseen(results)
    families = ", ".join(f"{name} {value:.2f}" for name, value in table["families"].items())
    candidates = [
        f"| {name} | {entry['srcc']:.3f} | {with_ci(entry['within'])} | {with_ci(entry['gain'])} |"
        for name, entry in results["alignment"]["candidates"].items()
    ]
    return "\n".join(
        [
            "## What it cannot do",
            "",
            f"**New generators.** Trained without a family and tested on it ({kind}): pooled SRCC "
            f"{with_ci(table['pooled'])}, mean inside each generator {with_ci(table['within'])}. "
            f"By family: {families}. The prompts of these tests were seen with other generators. "
            "Absolute scores shift for generators it does not know: compare images of one generator, "
            "and do not reuse a threshold across generators.",
            "",
            "**Alignment.** The score does not tell whether the image shows the prompt. These are the candidates "
            "for such a score, by how well they rank images by rated alignment; one is shipped only if it knows the "
            "prompt and its gain inside generators over the plain quality score is clearly above zero:",
            "",
            "| predictor of alignment | pooled SRCC | mean SRCC inside each generator | gain over quality |",
            "|---|---|---|---|",
            *candidates,
            "",
            "None is, so `alignment` is null."
            if not results["alignment"]["shipped"]
            else "One is, but this version still predicts quality alone, so `alignment` is null.",
            "",
            "**Expected to be weak at, not measured here:** wrong anatomy, spelling and broken structure (it sees texture more than "
            "meaning); the best modern generators, whose images differ little; detail lost when a large image "
            "is reduced to 320 x 320; real photographs and drawings, which were not in the training data. "
            "The training images are 512 x 512 from systems of 2022 and 2023.",
        ]
    )


def _robust(results: dict) -> str:
    rows = []
    for kind, entry in results["degradation"]["heldOut int8"]["kinds"].items():
        shipped = results["degradation"]["shipped int8"]["kinds"][kind]
        means = " > ".join(f"{score:.2f}" for score in entry["meanScores"])
        steps = [" / ".join(f"{share:.2f}" for share in table["steps"]) for table in (entry, shipped)]
        rows.append(f"| {kind} {entry['strengths']} | {means} | {steps[0]} | {steps[1]} |")
    tables = results["degradation"]
    return "\n".join(
        [
            "## Degraded images",
            "",
            f"{tables['heldOut int8']['images']} images at 512 x 512, made worse in three steps: Gaussian blur "
            "(sigma in pixels), JPEG (quality), added noise (standard deviation in grey levels). The score fell in "
            f"{tables['heldOut int8']['steps']:.1%} of the steps for nets that had not seen the image "
            f"(fp32 {tables['heldOut fp32']['steps']:.1%}), and in {tables['shipped int8']['steps']:.1%} for the "
            "shipped int8 file, which had. Blur, JPEG and noise of random strength are part of the training.",
            "",
            "| degradation | mean score, original and three steps | steps that fall, held out | shipped |",
            "|---|---|---|---|",
            *rows,
        ]
    )


def _use(results: dict) -> str:
    speed = results["speed"]
    return f"""## Use

Meant for: ranking candidates of one prompt and one generator, sorting and filtering a folder, spotting
failures.

**Must not be used for:** checking the prompt, telling real from generated, safety or content decisions,
judging artists or people, or as the only reward of a training loop.

Speed on one thread, one image, the variants taking turns in one run: int8 takes {speed["int8 / fp32"]:.2f} of the
time of fp32 ({speed["int8 ms"]:.1f} ms against {speed["fp32 ms"]:.1f} ms on a 2.1 GHz Xeon with VNNI).
`python bench/compare.py` measures the same network in PyTorch and in onnxruntime on your machine."""


def _made(results: dict) -> str:
    minutes = {name: seconds / 60 for name, seconds in results["trainingSeconds"].items()}
    return f"""## How it was made

- Command: `{COMMAND}`.
  The shipped net took {minutes["full"]:.0f} minutes on one CPU thread, a fold {minutes["fold0"]:.0f} minutes.
- Ratings and images: AGIQA-3K (Li et al., "AGIQA-3K: An Open Database for AI-Generated Image Quality
  Assessment", IEEE TCSVT 2023, doi 10.1109/TCSVT.2023.3319020; github.com/lcysyzxdxc/AGIQA-3k-Database, MIT
  licence; some mirrors add "academic use" notes): {results["images"]} images of {results["prompts"]} prompts by
  ten generator settings.
- Folds: five, grouped by prompt. Settings were chosen on two of them (`training/assay_training/lite/LOG.md`), so the
  figures above are slightly optimistic. The shipped net was trained on all images with the same settings; it
  has no held-out images of its own.
- One run per net, seed 0. The spread is fitted to out-of-fold errors.
- Starting weights: EfficientNet-Lite0 trained on ImageNet-1k (Tan and Le, Apache-2.0).{_text_note(Config())}
- Calibration: an increasing piecewise-linear map and a conformal interval, fitted to the out-of-fold scores of
  the five nets and applied to the sixth.
- The weights are ours and licensed under Apache-2.0; no image of the data set is part of this folder. The
  golden images are drawn by a program.
- `python -m assay_training verify models/assay-lite` rechecks hashes, golden results, and that batch size, order
  and thread count change no score by more than 0.0001."""


def _text_note(config: Config) -> str:
    if not config.text:
        return ""
    return """
- Extra supervision: while training, the net also predicts a summary of each training image's written
  description (M3-AGIQA, Cui et al., arXiv 2502.15167, MIT licence), made by a language model that knew the
  rating. Descriptions of held-out images were not used, and no text is needed to score."""


def _unseen(results: dict) -> tuple[str, dict]:
    tuned = results["unseen"]["tuned"]
    if tuned:
        return f"the same recipe, {tuned['epochs']} epochs, without each family", tuned
    return "ridge regression on the untuned backbone, not the shipped net", results["unseen"]["frozen"]
