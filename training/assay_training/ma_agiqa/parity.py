"""MA-AGIQA with random weights and random states, for the daemon to be held against."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from assay_training.case import Case
from assay_training.ma_agiqa.checkpoint import load, random_checkpoint
from assay_training.ma_agiqa.config import QUESTIONS
from assay_training.ma_agiqa.package import prepare
from assay_training.maniqa.config import BranchConfig
from assay_training.maniqa.parity import TINY
from assay_training.prepare import prepare as prepared

WIDTHS = {"tiny": 40, "full": 4096}  # of a state


def ma_agiqa(size: str, work: Path, seed: int) -> Case:
    """Each image has states of its own."""
    path = work / "checkpoint.pt"
    random_checkpoint(TINY if size == "tiny" else BranchConfig(), WIDTHS[size], path, seed)
    system = prepare(path, work / "graphs")
    # nobody is asked about images that are out of domain, as the smallest of the pictures would be
    system.manifest["image"]["minSide"] = 1
    spec = {"dtype": "uint8", **system.manifest["image"]}
    model, *_ = load(path)

    def holds(image: Image.Image, _: str) -> dict[str, np.ndarray]:
        return states_of(image, WIDTHS[size])

    def judge(image: Image.Image, prompt: str) -> dict[str, float]:
        held = holds(image, prompt)
        states = {name: torch.from_numpy(held[question])[None] for name, question in QUESTIONS.items()}
        return {"quality": float(model(torch.tensor(prepared(image, spec)["image"])[None], **states))}

    return Case(system, judge, holds)


def states_of(image: Image.Image, width: int) -> dict[str, np.ndarray]:
    """Made-up states of an image by question, float32 [width]: most about 1, a few far larger."""
    rng = np.random.default_rng(zlib.crc32(image.convert("RGB").tobytes()))
    large = np.where(rng.random(width) < 0.01, 10, 1)
    return {question: (rng.normal(0, 1, width) * large).astype(np.float32) for question in QUESTIONS.values()}
