"""Plays a diffusion model out of rated images: prompt and seed choose one of the images of that prompt.

RATED_IMAGES_DIR names the folder that holds ratings.csv (columns name, prompt) and images/.
"""

import csv
import os
import time
from collections import defaultdict
from functools import cache
from pathlib import Path

import numpy as np
import torch
from comfy.utils import ProgressBar
from PIL import Image

# Steps of a whole image; with fewer it is a draft.
WHOLE = 20
COARSEST = 4
NOISE = 60


@cache
def images_by_prompt():
    folder = Path(os.environ["RATED_IMAGES_DIR"])
    found = defaultdict(list)
    with open(folder / "ratings.csv", newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found[row["prompt"]].append(folder / "images" / row["name"])
    return {prompt: sorted(paths) for prompt, paths in found.items()}


def unfinished(image, share, seed, noise=NOISE):
    """The image after that share of its steps: coarser and noisier the earlier it is. At 1 it is whole."""
    width, height = image.size
    factor = COARSEST ** (1 - share)
    small = image.resize((max(1, round(width / factor)), max(1, round(height / factor))), Image.Resampling.BOX)
    pixels = np.asarray(small.resize((width, height), Image.Resampling.BILINEAR), np.float32)
    grain = np.random.default_rng(seed).normal(0, noise * (1 - share) ** 2, pixels.shape)
    return Image.fromarray(np.clip(pixels + grain, 0, 255).astype(np.uint8))


class Rated:
    """An image of the prompt; `ms` a step."""

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "run"
    CATEGORY = "assay/test"

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "prompt": ("STRING", {"default": "", "multiline": True}),
                "seed": ("INT", {"default": 0, "max": 2**64 - 1}),
                "steps": ("INT", {"default": WHOLE, "min": 1, "max": WHOLE}),
                "ms": ("INT", {"default": 0, "max": 60000}),
            }
        }

    def run(self, prompt, seed, steps, ms):
        paths = images_by_prompt().get(prompt)
        if not paths:
            raise ValueError(f"no rated image has the prompt {prompt!r}")
        whole = Image.open(paths[seed % len(paths)]).convert("RGB")
        bar = ProgressBar(steps)
        for step in range(1, steps + 1):
            time.sleep(ms / 1000)
            preview = unfinished(whole, step / steps, seed % 2**32)
            bar.update_absolute(step, steps, ("JPEG", preview, 512))
        # Fewer steps make a coarser image, and no noisier one.
        image = unfinished(whole, steps / WHOLE, 0, noise=0)
        return (torch.from_numpy(np.asarray(image, np.float32) / 255)[None],)


NODE_CLASS_MAPPINGS = {"AssayTestRated": Rated}
NODE_DISPLAY_NAME_MAPPINGS = {"AssayTestRated": "Rated images (test)"}
