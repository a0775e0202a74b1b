"""`train`: published systems on rated images, one fold of prompts held out."""

from __future__ import annotations

import argparse
from pathlib import Path


def add(commands) -> None:
    """Puts `train` below `commands`."""
    train = commands.add_parser("train", help="train a published system on rated images")
    systems = train.add_subparsers(required=True, metavar="SYSTEM")
    acl = systems.add_parser("acl-iqa", help="ACL-IQA, from CLIP's weights or at random")
    acl.add_argument("--data", type=Path, required=True, help="AGIQA-3K folder (ratings.csv, images/)")
    acl.add_argument("--out", type=Path, required=True, help="folder for checkpoints; a rerun resumes")
    acl.add_argument("--clip", type=Path, help="weights and tokenizer of CLIP ViT-B/32 to start from")
    acl.add_argument("--task", choices=("quality", "alignment"), default="quality")
    acl.add_argument("--variant", choices=("acl", "conv-moe"), default="acl", help="two paths or one (acl)")
    acl.add_argument("--fold", type=_fold, default=0, help="0 to 4, held out (0); none: train on everything")
    acl.add_argument("--epochs", type=int, default=200)
    acl.add_argument("--batch", type=int, default=16)
    acl.add_argument("--sawtooth", action="store_true", help="learning rate up and down as upstream has it")
    acl.add_argument("--device", default="cpu", help="cpu or cuda (cpu)")
    acl.set_defaults(command=_acl_iqa)


def _fold(text: str) -> int | None:
    return None if text == "none" else int(text)


def _acl_iqa(options: argparse.Namespace) -> None:
    from assay_training.acl_iqa.config import AclConfig
    from assay_training.acl_iqa.train import Recipe, train

    config = AclConfig(task=options.task, variant=options.variant)
    recipe = Recipe(epochs=options.epochs, batch=options.batch, sawtooth=options.sawtooth)
    places = {"clip": options.clip, "fold": options.fold, "device": options.device}
    train(options.data, options.out, config=config, recipe=recipe, **places)
