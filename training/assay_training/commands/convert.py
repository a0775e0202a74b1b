"""`convert`: a checkpoint of a published system made into a model folder."""

from __future__ import annotations

import argparse
import math
import tempfile
from dataclasses import replace
from pathlib import Path

from assay_training.clip_scorers.presets import PRESETS
from assay_training.m3_agiqa.config import QUESTIONS

COMBINES = ("logsumexp", "gated-logsumexp", "weighted-sum")


def add(commands) -> None:
    """Puts `convert` below `commands`."""
    convert = commands.add_parser("convert", help="make a model folder of a published checkpoint")
    systems = convert.add_subparsers(required=True, metavar="SYSTEM")
    for system, prepare in (
        (_add_acl_iqa(systems), _acl_iqa),
        (_add_aapmt(systems), _aapmt),
        (_add_clip(systems), _clip),
        (_add_diff_agiqa(systems), _diff_agiqa),
        (_add_maniqa(systems), _maniqa),
        (_add_ma_agiqa(systems), _ma_agiqa),
        (_add_m3_agiqa(systems), _m3_agiqa),
    ):
        system.add_argument("--out", type=Path, required=True, help="model folder to write")
        system.add_argument("--id", help="name of the scorer, if not the usual one")
        system.add_argument("--version", help="its version (1.0.0)")
        system.add_argument("--fp16", action="store_true", help="also a variant for GPUs")
        system.add_argument("--int8", action="store_true", help="also a variant with weights in 8 bits")
        among = system.add_mutually_exclusive_group()
        among.add_argument("--images", type=Path, help="20 or more pictures that percentiles refer to")
        among.add_argument("--ratings", type=Path, help="rated images to fit to (AGIQA-3K layout)")
        system.set_defaults(command=_convert, prepare=prepare)


def _add_acl_iqa(systems) -> argparse.ArgumentParser:
    acl = systems.add_parser("acl-iqa", help="ACL-IQA: CLIP ViT-B/32, collaborative and adversarial paths")
    _add_checkpoint(acl)
    acl.add_argument("--clip", type=Path, required=True, help="folder of CLIP ViT-B/32, for its tokenizer")
    acl.add_argument("--task", choices=("quality", "alignment", "authenticity"), default="quality")
    acl.add_argument("--combine", choices=COMBINES, default=COMBINES[0], help="of experts (logsumexp)")
    acl.add_argument("--average", choices=("logits", "probabilities"), default="logits", help="of windows")
    return acl


def _add_aapmt(systems) -> argparse.ArgumentParser:
    aapmt = systems.add_parser("aapmt", help="ImageReward, and AAPMT that is trained from it")
    _add_checkpoint(aapmt)
    aapmt.add_argument("--tokenizer", type=Path, help="vocab.txt or tokenizer.json of bert-base-uncased")
    aspects = ("quality", "alignment", "authenticity")
    aapmt.add_argument("--aspect", choices=aspects, help="what a reward was tuned to; none: ImageReward")
    aapmt.add_argument("--alignment-only", action="store_true", help="ImageReward without aspect texts")
    aapmt.add_argument("--quality-text", type=int, choices=(1, 2, 3), default=2, help="text for quality (2)")
    heads = ("as-trained", "as-named")
    aapmt.add_argument("--heads", choices=heads, default=heads[0], help="of the Metric Transformer")
    features = ("own", "mean", "sum", "prompt")
    aapmt.add_argument(
        "--features", choices=features, default="own", help="that the Metric Transformer reads"
    )
    return aapmt


def _add_clip(systems) -> argparse.ArgumentParser:
    clip = systems.add_parser("clip", help="CLIP and a formula, or what was tuned from CLIP")
    clip.add_argument("--preset", choices=tuple(PRESETS), required=True, help="what is made of it")
    clip.add_argument("--clip", type=Path, required=True, help="folder or file of its weights")
    clip.add_argument("--tokenizer", type=Path, help="folder of its tokenizer, if not beside the weights")
    clip.add_argument("--head", type=Path, help="laion-aesthetic: checkpoint of its layers")
    activations = ("quick-gelu", "gelu")
    clip.add_argument("--activation", choices=activations, help="if nothing beside the weights tells it")
    return clip


def _add_diff_agiqa(systems) -> argparse.ArgumentParser:
    diff = systems.add_parser("diff-agiqa", help="Diff-AGIQA: Stable Diffusion 1.5 as the scorer")
    diff.add_argument(
        "--diffusion", type=Path, required=True, help="folder of diffusers, or single file, of 1.5"
    )
    diff.add_argument("--head", type=Path, required=True, help="checkpoint of Diff-AGIQA")
    diff.add_argument("--tokenizer", type=Path, help="folder of CLIP's tokenizer, for a single file")
    diff.add_argument("--noises", type=int, default=1, metavar="K", help="whose scores are averaged (1)")
    return diff


def _add_maniqa(systems) -> argparse.ArgumentParser:
    maniqa = systems.add_parser("maniqa", help="MANIQA: technical quality by a vision transformer")
    _add_checkpoint(maniqa)
    sets = ("koniq10k", "kadid10k", "pipal22")
    maniqa.add_argument(
        "--trained-on", choices=sets, required=True, help="set of ratings; of your own: whose recipe"
    )
    maniqa.add_argument("--view", choices=("whole", "windows"), help="of an image, if not that of the set")
    maniqa.add_argument(
        "--scale", type=_finite, help="of what a layer of windows adds, if not that of the set"
    )
    _add_range(maniqa, (0, 1))
    return maniqa


def _add_ma_agiqa(systems) -> argparse.ArgumentParser:
    ma = systems.add_parser("ma-agiqa", help="MA-AGIQA: MANIQA's patches and a language model's states")
    _add_checkpoint(ma)
    gates = ("linear", "sigmoid")
    ma.add_argument(
        "--gate", choices=gates, default=gates[0], help="as the authors' code has it, or the paper"
    )
    _add_range(ma, (0, 5))
    return ma


def _add_m3_agiqa(systems) -> argparse.ArgumentParser:
    m3 = systems.add_parser("m3-agiqa", help="M3-AGIQA: a language model's states along a conversation")
    _add_checkpoint(m3)
    m3.add_argument(
        "--lm-head",
        type=Path,
        required=True,
        help="folder or file of the language model, for its output layer",
    )
    m3.add_argument("--questions", choices=tuple(QUESTIONS), required=True, help="that it was trained with")
    m3.add_argument("--positions", type=int, default=512, help="that are read (512; 768 for AIGIQA-20K's)")
    return m3


def _finite(text: str) -> float:
    found = float(text)
    if not math.isfinite(found):
        raise argparse.ArgumentTypeError(f"expected a finite number, found {text}")
    return found


def _add_range(system: argparse.ArgumentParser, usual: tuple[int, int]) -> None:
    ends, told = ("LOW", "HIGH"), "lowest and highest score ({} {})".format(*usual)
    system.add_argument("--range", type=_finite, nargs=2, metavar=ends, default=usual, help=told)


def _add_checkpoint(system: argparse.ArgumentParser) -> None:
    system.add_argument("--checkpoint", type=Path, required=True, help="file of torch or safetensors")


def _convert(options: argparse.Namespace) -> None:
    from assay_training.checks import check_names
    from assay_training.convert import check_out, make_folder

    given = {"id": options.id, "version": options.version}
    given = {key: value for key, value in given.items() if value is not None}
    check_names(given)  # now, not after minutes
    check_out(options.out, options.id)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".graphs-", dir=options.out.parent) as work:
        system = options.prepare(options, Path(work))
        wanted = {"fp16": options.fp16, "int8": options.int8}
        system = replace(system, manifest=system.manifest | given)
        make_folder(system, options.out, **wanted, images=options.images, ratings=options.ratings)


def _acl_iqa(options: argparse.Namespace, work: Path):
    from assay_training.acl_iqa.package import prepare

    choices = {"task": options.task, "combine": options.combine, "average": options.average}
    return prepare(options.checkpoint, options.clip, work, **choices)


def _aapmt(options: argparse.Namespace, work: Path):
    from assay_training.aapmt.package import prepare

    return prepare(
        options.checkpoint,
        options.tokenizer,
        work,
        aspect=options.aspect,
        aspect_prompts=not options.alignment_only,
        quality_text=options.quality_text,
        heads=options.heads,
        features=options.features,
    )


def _clip(options: argparse.Namespace, work: Path):
    from assay_training.clip_scorers.package import Sources, prepare

    sources = Sources(options.clip, options.tokenizer, options.head)
    return prepare(options.preset, sources, work, activation=options.activation)


def _diff_agiqa(options: argparse.Namespace, work: Path):
    from assay_training.diff_agiqa.checkpoint import Sources
    from assay_training.diff_agiqa.package import prepare

    sources = Sources(options.diffusion, options.head, options.tokenizer)
    return prepare(sources, work, noises=options.noises)


def _maniqa(options: argparse.Namespace, work: Path):
    from assay_training.maniqa.package import prepare

    choices = {"trained_on": options.trained_on, "view": options.view, "scale": options.scale}
    return prepare(options.checkpoint, work, **choices, limits=tuple(options.range))


def _ma_agiqa(options: argparse.Namespace, work: Path):
    from assay_training.ma_agiqa.package import prepare

    return prepare(options.checkpoint, work, gate=options.gate, limits=tuple(options.range))


def _m3_agiqa(options: argparse.Namespace, work: Path):
    from assay_training.m3_agiqa.package import prepare

    asked = {"questions": options.questions, "positions": options.positions}
    return prepare(options.checkpoint, options.lm_head, work, **asked)
