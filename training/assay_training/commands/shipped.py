"""`tower` and `base`: the scorers that ship with Assay, stage by stage; `figures`: their figures alone."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from assay_training.stages import Paths, Stages, run

RESULTS = Path(__file__).parents[2] / "results"


def add(commands) -> None:
    """Puts `tower`, `base` and `figures` below `commands`."""
    tower = commands.add_parser("tower", help="compress, measure and export assay-lite 2")
    _add_common(tower, "compress,export,features,evaluate,package,verify", "tower.json")
    tower.add_argument("--pictures", type=Path, required=True, help="unrated pictures (sheets/, single/)")
    tower.add_argument("--weights", type=Path, required=True, help="image tower and sentence encoder")
    tower.add_argument("--foreign", type=Path, help="pictures of other kinds, a folder each, for the guard")
    tower.set_defaults(command=_tower)
    base = commands.add_parser("base", help="compress, measure and export assay-base")
    _add_common(base, "compress,export,features,evaluate,package,verify", "base.json")
    base.add_argument("--pictures", type=Path, required=True, help="unrated pictures (sheets/, single/)")
    base.add_argument(
        "--weights", type=Path, required=True, help="image tower, sentence encoder, heads of others"
    )
    base.add_argument(
        "--reuse", type=Path, help="model folder whose tower is kept, so that only heads are fitted"
    )
    base.add_argument(
        "--keep-heads", action="store_true", help="write the tower of --reuse anew below the heads of --reuse"
    )
    base.set_defaults(command=_base)
    figures = commands.add_parser(
        "figures", help="agreement of assay-lite 2 (or another) again, from its kept scores"
    )
    figures.add_argument("--data", type=Path, required=True, help="AGIQA-3K folder (ratings.csv)")
    figures.add_argument("--results", type=Path, default=RESULTS / "tower.json", help="beside which they lie")
    figures.add_argument("--out", type=Path, help="model folder: write them to its card and to the results")
    figures.set_defaults(command=_figures)


def _tower(options: argparse.Namespace) -> None:
    from assay_training.tower.pipeline import STAGES

    _run(options, STAGES, "tower.json", foreign=options.foreign)


def _base(options: argparse.Namespace) -> None:
    from assay_training.base.pipeline import KEEPING, STAGES

    if options.keep_heads and not options.reuse:
        raise ValueError("--keep-heads needs --reuse: the model folder whose heads are kept")
    _run(options, KEEPING if options.keep_heads else STAGES, "base.json", reuse=options.reuse)


def _run(options: argparse.Namespace, known: Stages, results: str, **more: Path | None) -> None:
    places = _places(options, results)
    paths = Paths(options.data, options.pictures, options.weights, options.out, *places, **more)
    run(known, paths, _stages(options, known), options.workers)


def _figures(options: argparse.Namespace) -> None:
    from assay_training.data import load_ratings
    from assay_training.tower.figures import figures, print_figures, renew

    tables = figures(load_ratings(options.data), options.results)
    print_figures(tables)
    if options.out:
        renew(tables, options.results, options.out)


def _stages(options: argparse.Namespace, known: Iterable[str]) -> list[str]:
    stages = options.stages.split(",") if options.stages else list(known)
    unknown = [stage for stage in stages if stage not in known]
    if unknown:
        raise ValueError(f"--stages: unknown {', '.join(unknown)}; known are {', '.join(known)}")
    return stages


def _places(options: argparse.Namespace, results: str) -> tuple[Path, Path]:
    """Work folder and results file."""
    return options.work or options.out / ".work", options.results or RESULTS / results


def _add_common(command: argparse.ArgumentParser, stages: str, results: str) -> None:
    command.add_argument("--data", type=Path, required=True, help="AGIQA-3K folder (ratings.csv, images/)")
    command.add_argument("--out", type=Path, required=True, help="model folder to write")
    command.add_argument("--work", type=Path, help="intermediate files; a rerun resumes (OUT/.work)")
    command.add_argument("--results", type=Path, help=f"where the measured numbers go (results/{results})")
    command.add_argument("--stages", help=f"comma-separated subset of {stages}")
    command.add_argument("--workers", type=int, default=2, help="processes side by side, or threads (2)")
