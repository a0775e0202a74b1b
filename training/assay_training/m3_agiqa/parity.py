"""M3-AGIQA with random weights and random states, for the daemon to be held against."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from assay_training.case import Case
from assay_training.m3_agiqa.checkpoint import load, random_checkpoint
from assay_training.m3_agiqa.config import FULL, QUESTIONS, TINY
from assay_training.m3_agiqa.package import prepare

ASKED = QUESTIONS["agiqa-3k-quality"]
POSITIONS = {"tiny": (1, 40), "full": (300, 512)}  # fewest and most


def m3_agiqa(size: str, work: Path, seed: int) -> Case:
    """Each pair of image and prompt has states of its own, at another number of positions."""
    config = TINY if size == "tiny" else FULL
    random_checkpoint(config, work / "checkpoint.ckpt", work / "language", seed)
    system = prepare(work / "checkpoint.ckpt", work / "language", work / "graphs", config=config)
    # nobody is asked about images that are out of domain, as the smallest of the pictures would be
    system.manifest["image"]["minSide"] = 1
    model = load(work / "checkpoint.ckpt", work / "language", config).model

    def states(image: Image.Image, prompt: str) -> np.ndarray:
        rng = np.random.default_rng(zlib.crc32(image.convert("RGB").tobytes() + prompt.encode()))
        count = int(rng.integers(*POSITIONS[size], endpoint=True))
        return rng.normal(0, 1.5, (count, config.hidden)).astype(np.float32)

    def judge(image: Image.Image, prompt: str) -> dict[str, float]:
        return {ASKED.aspect: float(model(torch.from_numpy(states(image, prompt))[None]))}

    return Case(system, judge, lambda image, prompt: {ASKED.second: states(image, prompt)})
