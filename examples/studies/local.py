"""The best of many seeds from a pipeline that is called as those of diffusers are; here it draws: no download."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from PIL import Image

from assay_client import AssayClient

sys.path.insert(0, str(Path(__file__).parents[1] / "trainers"))
from pictures import PROMPT, landscapes


def pipe(prompt, generator, num_inference_steps):
    """In its place: `pipe = DiffusionPipeline.from_pretrained(…)`. Fewer steps leave more noise."""
    image = landscapes(1, first=int(generator.integers(1000)))[0]
    noise = generator.standard_normal(image.shape) / (2 * num_inference_steps)
    pixels = (np.clip(image + noise, 0, 1) * 255).astype(np.uint8)
    return SimpleNamespace(images=[Image.fromarray(pixels)])


with AssayClient() as assay:
    study = assay.study(PROMPT, strategy="halving", budget=8, keep=2, seed=1)
    for trial in study:
        # with torch: generator=torch.Generator().manual_seed(trial.seed)
        made = pipe(
            trial.prompt,
            generator=np.random.default_rng(trial.seed),
            num_inference_steps=trial.steps(20),
        )
        trial.tell(made)
    print(f"over because {study.done}")
    for winner in study.winners:
        print(f"{winner.image}: reward {winner.value:.2f}, seed {winner.trial.seed}, {winner.trial.stage}")
