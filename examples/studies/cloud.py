"""The best guidance for a prompt from a generator behind an API, four calls at a time: here one that draws."""

import asyncio
import io
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from assay_client import AsyncAssayClient

sys.path.insert(0, str(Path(__file__).parents[1] / "trainers"))
from pictures import PROMPT, landscapes


async def generate(prompt, seed, guidance):
    """In its place: a request to the API. It answers with the bytes of a file, or refuses."""
    await asyncio.sleep(0.01)
    if seed % 7 == 0:
        raise RuntimeError("the API is busy")
    image = landscapes(1, first=seed % 1000)[0]
    pixels = (np.clip((image - 0.5) * guidance / 5 + 0.5, 0, 1) * 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


async def make(trial):
    try:
        image = await generate(trial.prompt, trial.seed, trial.parameters["guidance"])
    except RuntimeError as refusal:
        await trial.fail(refusal)
    else:
        await trial.tell(image, names=f"{trial.id}.png")


async def main():
    async with AsyncAssayClient() as assay:
        study = assay.study(PROMPT, budget=12, axes={"guidance": [3, 5, 7]}, pick="quality", seed=1)
        while trials := await study.ask(4):
            await asyncio.gather(*map(make, trials))
        print(f"over because {study.done}")
        print(f"{study.best.image}: quality {study.best.value:.2f}, guidance {study.best.trial.parameters['guidance']}")


asyncio.run(main())
