"""How far an image's score moves with the noise that is added to it: upstream draws it anew for each run."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from assay_training.diff_agiqa.config import Config
from assay_training.diff_agiqa.export import CONTEXT, HIDDEN, LATENTS
from assay_training.diff_agiqa.latents import fixed_noises, shares
from assay_training.golden import PROMPTS, images_for
from assay_training.prepare import prepare
from assay_training.scorer import open_session, open_tokenizer, tokens

NOISES = 8
PICTURES = ("scene", "texture")  # of the golden images


@dataclass(frozen=True)
class Spread:
    """Of one score over NOISES noises."""

    picture: str
    mean: float
    deviation: float
    lowest: float
    highest: float


def measure(graphs: dict[str, Path], tokenizer: Path, manifest: dict, config: Config) -> list[Spread]:
    """Scores of drawn images with one noise after the other, by the exported graphs."""
    threads, text = os.cpu_count() or 1, manifest["text"] | {"mending": True}
    reader, share = open_tokenizer(tokenizer, text), shares()[1]
    own, *others = fixed_noises(NOISES, config).numpy()
    inputs = {}
    for picture in PICTURES:
        image, (texts,) = (
            images_for(manifest)[picture],
            [link["texts"] for link in manifest["graphs"] if "texts" in link],
        )
        read = tokens([one.replace("{prompt}", PROMPTS[picture]) for one in texts], reader, text)
        latents = _run(graphs["latents"], prepare(image, manifest["image"]), [LATENTS], threads)[LATENTS]
        inputs[picture] = latents[:, :1] - own * share, _run(graphs["text"], read, [CONTEXT, HIDDEN], threads)
    session, found = open_session(graphs["score"], threads), []
    for picture, (clean, known) in inputs.items():
        scores = [
            float(session.run(None, known | {LATENTS: (clean + noise * share).astype(np.float32)})[0][0, 0])
            for noise in (own, *others)
        ]
        found.append(
            Spread(picture, float(np.mean(scores)), float(np.std(scores, ddof=1)), min(scores), max(scores))
        )
    return found


def _run(path: Path, inputs: dict, outputs: list[str], threads: int) -> dict[str, np.ndarray]:
    session = open_session(path, threads)
    feeds = {name: value[None] for name, value in inputs.items()}
    return dict(zip(outputs, session.run(outputs, feeds), strict=True))
