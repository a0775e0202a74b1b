"""miles_diffusion: `async custom_rm(args, samples)` → a list of floats, for `--custom-rm-path`."""

from __future__ import annotations

from typing import Any

from ..link.failures import fail
from .asking import ask_async
from .measures import Measure, checked, filled


async def custom_rm(args: Any, samples: list, **_: Any) -> list[float]:
    """`args.assay_measure` and `args.assay_missing` are read where they are set.

    A reward that is missing raises NO_REWARD: the trainer makes floats of what it gets.
    """
    if not samples:
        return []
    wanted = Measure.of(getattr(args, "assay_measure", None) or "reward")
    missing = checked(getattr(args, "assay_missing", None) or "raise")
    images = [_still(at, sample.generated_output) for at, sample in enumerate(samples)]
    results = await ask_async(None, [wanted], images, [sample.prompt for sample in samples], layout="CHW")
    return filled(wanted, results[wanted.scorer], "nan" if missing == "none" else missing)


def _still(at: int, output: Any) -> Any:
    """The image [C, H, W] of an output [C, T, H, W] with one frame."""
    shape = tuple(output.shape)
    if len(shape) == 4 and shape[1] == 1:
        return output[:, 0]
    if len(shape) == 3:
        return output
    found = f"{list(shape)}; expected [C, H, W], or [C, 1, H, W]: Assay scores stills, no videos"
    raise fail("BAD_REQUEST", reason=f"samples[{at}].generated_output has the shape {found}")
