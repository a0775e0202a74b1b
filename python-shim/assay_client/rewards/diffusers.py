"""A callback for diffusers' pipelines: scores previews while an image is made, and may end a hopeless run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..client import AssayClient
from .asking import ask
from .measures import Measure


@dataclass(frozen=True)
class Preview:
    """The values of the images of a batch after a step; None where there is none."""

    step: int
    values: list[float | None]


class PreviewScores:
    """Pass it as `callback_on_step_end`; `previews` has what was found.

    `every` so many steps the latents are decoded by the pipeline's own VAE, or by `decode(pipeline, latents)` to a
    tensor NCHW 0..1. With `stop_below`, the run ends once no image of the batch reaches it after `stop_after` steps;
    images without a value do not count, and a run of which nothing is known goes on.
    """

    def __init__(
        self,
        prompt: str | list[str],
        *,
        every: int = 5,
        measure: str = "reward",
        stop_below: float | None = None,
        stop_after: int = 0,
        decode: Callable[[Any, Any], Any] | None = None,
        client: AssayClient | None = None,
    ):
        self.previews: list[Preview] = []
        self._prompt, self._every, self._measure = prompt, every, Measure.of(measure)
        self._stop_below, self._stop_after = stop_below, stop_after
        self._decode, self._client = decode or _decoded, client

    def __call__(self, pipeline: Any, step: int, timestep: Any, callback_kwargs: dict) -> dict:
        if (step + 1) % self._every == 0:
            images = self._decode(pipeline, callback_kwargs["latents"])
            results = ask(self._client, [self._measure], images, self._prompt)[self._measure.scorer]
            self.previews.append(Preview(step, [self._measure.value(result) for result in results]))
            if self._is_hopeless(step):
                pipeline._interrupt = True  # the way that diffusers documents
        return callback_kwargs

    def _is_hopeless(self, step: int) -> bool:
        known = [value for value in self.previews[-1].values if value is not None]
        if self._stop_below is None or step + 1 < self._stop_after or not known:
            return False
        return max(known) < self._stop_below


def _decoded(pipeline: Any, latents: Any) -> Any:
    import torch

    config = pipeline.vae.config
    with torch.no_grad():
        scaled = latents / config.scaling_factor + (getattr(config, "shift_factor", None) or 0)
        decoded = pipeline.vae.decode(scaled.to(pipeline.vae.dtype), return_dict=False)[0]
    return pipeline.image_processor.postprocess(decoded, output_type="pt")
