"""Command line: `python -m assay_training lite …`, `… tower …` train scorers, `… convert SYSTEM …` makes one
of a published checkpoint, `… verify DIR` checks one."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns 0, or 1 after printing what is wrong with the input."""
    options = _parser().parse_args(arguments)
    try:
        options.command(options)
    except ValueError as error:  # DataError, TfliteError and VerifyError name the file and what was expected
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _lite(options: argparse.Namespace) -> None:
    from assay_training.lite.pipeline import STAGES, Paths, run

    paths = Paths(options.data, options.backbones, options.out, *_places(options, "lite.json"))
    run(paths, _stages(options, STAGES), options.workers, options.families)


def _tower(options: argparse.Namespace) -> None:
    from assay_training.tower.pipeline import STAGES, Paths, run

    places = _places(options, "tower.json")
    paths = Paths(options.data, options.pictures, options.weights, options.out, *places, options.foreign)
    run(paths, _stages(options, STAGES), options.workers)


def _convert(options: argparse.Namespace) -> None:
    from assay_training.convert import make_folder

    options.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".graphs-", dir=options.out.parent) as work:
        system = options.prepare(options, Path(work))
        wanted = {"fp16": options.fp16, "int8": options.int8}
        make_folder(system, options.out, **wanted, images=options.images, ratings=options.ratings)


def _acl_iqa(options: argparse.Namespace, work: Path):
    from assay_training.acl_iqa.package import prepare

    name = {"id": options.id or f"acl-iqa-{options.task}", "version": options.version}
    return prepare(options.checkpoint, options.clip, work, task=options.task, combine=options.combine, **name)


def _aapmt(options: argparse.Namespace, work: Path):
    from assay_training.aapmt.package import prepare

    name = {"id": options.id or "aapmt", "version": options.version}
    return prepare(options.checkpoint, options.tokenizer, work, **name)


def _stages(options: argparse.Namespace, known: Iterable[str]) -> list[str]:
    stages = options.stages.split(",") if options.stages else list(known)
    unknown = [stage for stage in stages if stage not in known]
    if unknown:
        raise ValueError(f"--stages: unknown {', '.join(unknown)}; known are {', '.join(known)}")
    return stages


def _places(options: argparse.Namespace, results: str) -> tuple[Path, Path]:
    """Work folder and results file."""
    here = Path(__file__).parent.parent / "results" / results
    return options.work or options.out / ".work", options.results or here


def _verify(options: argparse.Namespace) -> None:
    from assay_training.verify import verify

    verify(options.folder)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m assay_training", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    lite = commands.add_parser("lite", help="train, measure and export assay-lite 1")
    _add_common(lite, "cache,train,spread,export,score,evaluate,package,verify", "lite.json")
    lite.add_argument("--backbones", type=Path, required=True, help="folder of ImageNet weights (tflite)")
    lite.add_argument("--families", action="store_true", help="also train without each generator family")
    lite.set_defaults(command=_lite)
    _add_tower(commands)
    _add_convert(commands)
    verify = commands.add_parser(
        "verify", help="check hashes, golden results and invariance of a model folder"
    )
    verify.add_argument("folder", type=Path)
    verify.set_defaults(command=_verify)
    return parser


def _add_tower(commands) -> None:
    tower = commands.add_parser("tower", help="compress, measure and export assay-lite 2")
    _add_common(tower, "compress,export,features,evaluate,package,verify", "tower.json")
    tower.add_argument("--pictures", type=Path, required=True, help="unrated pictures (sheets/, single/)")
    tower.add_argument("--weights", type=Path, required=True, help="image tower and sentence encoder")
    tower.add_argument("--foreign", type=Path, help="pictures of other kinds, a folder each, for the guard")
    tower.set_defaults(command=_tower)


def _add_convert(commands) -> None:
    convert = commands.add_parser("convert", help="make a model folder of a published checkpoint")
    systems = convert.add_subparsers(required=True, metavar="SYSTEM")
    acl = systems.add_parser(
        "acl-iqa", help="ACL-IQA: CLIP ViT-B/32 with collaborative and adversarial paths"
    )
    acl.add_argument("--clip", type=Path, required=True, help="folder of CLIP ViT-B/32, for its tokenizer")
    acl.add_argument("--task", choices=("quality", "alignment", "authenticity"), default="quality")
    combine = ("logsumexp", "gated-logsumexp", "weighted-sum")
    acl.add_argument("--combine", choices=combine, default=combine[0], help="of experts (logsumexp)")
    aapmt = systems.add_parser("aapmt", help="AAPMT, or ImageReward that it is based on")
    aapmt.add_argument("--tokenizer", type=Path, help="tokenizer.json or folder of bert-base-uncased")
    for system, prepare in ((acl, _acl_iqa), (aapmt, _aapmt)):
        system.add_argument("--checkpoint", type=Path, required=True, help="file of torch or safetensors")
        system.add_argument("--out", type=Path, required=True, help="model folder to write")
        system.add_argument("--id", help="name of the scorer")
        system.add_argument("--version", default="1.0.0", help="its version (1.0.0)")
        system.add_argument("--fp16", action="store_true", help="also a variant for GPUs")
        system.add_argument("--int8", action="store_true", help="also a variant with weights in 8 bits")
        among = system.add_mutually_exclusive_group()
        among.add_argument("--images", type=Path, help="20 or more pictures that percentiles refer to")
        among.add_argument("--ratings", type=Path, help="rated images to fit to (AGIQA-3K layout)")
        system.set_defaults(command=_convert, prepare=prepare)


def _add_common(command: argparse.ArgumentParser, stages: str, results: str) -> None:
    command.add_argument("--data", type=Path, required=True, help="AGIQA-3K folder (ratings.csv, images/)")
    command.add_argument("--out", type=Path, required=True, help="model folder to write")
    command.add_argument("--work", type=Path, help="intermediate files; a rerun resumes (OUT/.work)")
    command.add_argument("--results", type=Path, help=f"where the measured numbers go (results/{results})")
    command.add_argument("--stages", help=f"comma-separated subset of {stages}")
    command.add_argument("--workers", type=int, default=2, help="processes side by side, or threads (2)")


if __name__ == "__main__":
    sys.exit(main())
