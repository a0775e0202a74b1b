"""`verify` and `parity`: that a model folder agrees with itself, and the daemon with torch."""

from __future__ import annotations

import argparse
from pathlib import Path

from assay_training.clip_scorers.presets import PRESETS

SYSTEMS = (
    "acl-iqa", "acl-iqa-alignment", "acl-iqa-authenticity", "image-reward", "aapmt", *PRESETS,
    "maniqa", "maniqa-windows", "ma-agiqa", "m3-agiqa", "diff-agiqa",
)  # fmt: skip


def add(commands) -> None:
    """Puts `verify` and `parity` below `commands`."""
    verify = commands.add_parser(
        "verify", help="check hashes, golden results and invariance of a model folder"
    )
    verify.add_argument("folder", type=Path)
    verify.set_defaults(command=_verify)
    parity = commands.add_parser("parity", help="write random model folders and what torch makes of pictures")
    parity.add_argument("systems", nargs="+", choices=SYSTEMS)
    parity.add_argument("--out", type=Path, required=True, help="folder to write into")
    parity.add_argument("--size", choices=("tiny", "full"), default="tiny")
    parity.add_argument("--seed", type=int, default=0)
    parity.add_argument("--int8", action="store_true", help="also a variant with weights in 8 bits")
    parity.add_argument("--fp16", action="store_true", help="also a variant for GPUs")
    parity.set_defaults(command=_parity)


def _verify(options: argparse.Namespace) -> None:
    from assay_training.verify import verify

    verify(options.folder)


def _parity(options: argparse.Namespace) -> None:
    from assay_training.parity import write_parity

    smaller = {"fp16": options.fp16, "int8": options.int8}
    for system in options.systems:
        write_parity(system, options.size, options.out, options.seed, smaller)
