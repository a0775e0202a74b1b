"""diffusers: a callback at the end of each step; here a pipeline of twenty lines calls it as those of diffusers do."""

import sys
from pathlib import Path
from types import SimpleNamespace

import torch

from assay_client.rewards.diffusers import PreviewScores

sys.path.insert(0, str(Path(__file__).parents[1]))
from pictures import PROMPT, landscapes


class Pipeline:
    """Its latents are pixels, and each step takes away some noise."""

    def __init__(self):
        decode = lambda latents, return_dict: (latents,)  # noqa: E731
        self.vae = SimpleNamespace(config=SimpleNamespace(scaling_factor=0.5), dtype=torch.float32, decode=decode)
        postprocess = lambda image, output_type: (image / 2 + 0.5).clamp(0, 1)  # noqa: E731
        self.image_processor = SimpleNamespace(postprocess=postprocess)
        self._interrupt = False

    def __call__(self, callback_on_step_end, num_inference_steps):
        goal = torch.from_numpy(landscapes(2)).permute(0, 3, 1, 2) - 0.5
        noise = torch.randn(goal.shape, generator=torch.Generator().manual_seed(0))
        for step in range(num_inference_steps):
            if self._interrupt:
                continue
            latents = goal + noise * (1 - (step + 1) / num_inference_steps) / 4
            outputs = callback_on_step_end(self, step, 1000 - step, {"latents": latents})
            latents = outputs.pop("latents", latents)
        return latents


scores = PreviewScores(PROMPT, every=5, measure="quality", stop_below=0.1, stop_after=10)
Pipeline()(callback_on_step_end=scores, num_inference_steps=20)
for preview in scores.previews:
    print(f"step {preview.step}: {', '.join('none' if v is None else f'{v:.2f}' for v in preview.values)}")
