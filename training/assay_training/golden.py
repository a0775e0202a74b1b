"""Procedural images whose expected scores ship with a model: they prove that another runtime agrees."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from assay_training.json_object import read_object
from assay_training.scorer import Scorer
from assay_training.verify import golden_result

WIDE = (512, 384)  # the one image that has to be resized: resizers differ slightly, so its tolerance is wider
LARGE = (1024, 520)  # has a side from which on windows lie further apart, and none that is enlarged
VARIED = ((512, 512), (384, 512), (640, 360), (300, 200), (320, 320))
TOLERANCES = (0.01, 0.05)  # of scores, as they are and resized


def golden_images(side: int = 320) -> dict[str, Image.Image]:
    """Seeded images by name: smooth, textured, degraded, dark, and one of another size and shape."""
    scene = _scene(side, side, 0)
    blurred = scene.filter(ImageFilter.GaussianBlur(4))
    few = side // 4
    noisy = np.asarray(scene.resize((few, few))).astype(float)
    noisy += np.random.default_rng(1).normal(0, 40, (few, few, 3))
    blocky = Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).resize(
        (side, side), Image.Resampling.NEAREST
    )
    return {
        "scene": scene,
        "blurred": _few_colours(blurred),
        "blocky": blocky,
        "texture": _texture(side, 2),
        "dim": _few_colours(scene.point(lambda value: value * 0.3), 2),
        "wide": _scene(*WIDE, 3),
    }


def images_for(manifest: dict) -> dict[str, Image.Image]:
    """The golden images of a model: few for one with several graphs, which may take seconds an image."""
    image = manifest["image"]
    if "graphs" not in manifest:
        return golden_images(image["width"])
    if image["input"] is None:  # nobody looks at it
        return {"scene": _scene(64, 64, 0)}
    if image["resize"] == "windows":
        large = _few_colours(_scene(*LARGE, 4), 16)
        return {"scene": _scene(320, 320, 0), "wide": _scene(*WIDE, 3), "large": large}
    side = image["width"]
    return {"scene": _scene(side, side, 0), "texture": _texture(side, 2), "wide": _scene(*WIDE, 3)}


def varied_image(number: int) -> Image.Image:
    """One of as many as you like: scenes, textures and noise on both, in five sizes."""
    width, height = VARIED[number % len(VARIED)]
    image = _scene(width, height, 1000 + number) if number % 3 else _texture(width, 1000 + number)
    if number % 3 < 2:
        return image
    pixels = np.asarray(image).astype(float)
    pixels += np.random.default_rng(number).normal(0, 5 + number % 7 * 8, pixels.shape)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


# some with a prompt, which may be wrong, long or in another script: the tokenizer has to agree, too
PROMPTS = {
    "scene": "hills below a blue sky, hyper detail",
    "texture": "a portrait of an old man, oil painting",
    "wide": "山の風景 " + "very, " * 80 + "long",
    "large": "planets over a valley",
}


def write_golden(folder: Path, tolerances: tuple[float, float] = TOLERANCES) -> None:
    """Writes FOLDER/golden/*.png and FOLDER/golden.json with the results of every variant there."""
    (folder / "golden").mkdir(exist_ok=True)
    manifest = read_object(folder / "manifest.json")
    side = manifest["image"]["width"]
    images = images_for(manifest)
    for name, image in images.items():
        image.save(folder / "golden" / f"{name}.png", optimize=True)
    expected = {name: {} for name in images}
    for variant in manifest["variants"]:
        scorer = Scorer(folder, variant)  # one at a time: each may hold a gigabyte
        for name in images:
            path = folder / "golden" / f"{name}.png"
            expected[name][variant] = golden_result(scorer, path, PROMPTS.get(name))
    items = [
        {
            "image": f"golden/{name}.png",
            "prompt": PROMPTS.get(name) if manifest["text"] or manifest.get("language") else None,
            "expect": expected[name],
            "tolerance": tolerances[image.size != (side, side)],
        }
        for name, image in images.items()
    ]
    (folder / "golden.json").write_text(json.dumps({"version": 1, "items": items}, indent=1) + "\n")


@cache
def _scene(width: int, height: int, seed: int) -> Image.Image:
    """Sky, hills and discs in few colours, so that the PNG stays small."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / np.array([height, width]).reshape(2, 1, 1)
    pixels = np.stack([90 + 120 * y, 140 + 60 * y, 230 - 40 * y], -1)
    for depth in range(4):
        ridge = (
            0.45
            + 0.13 * depth
            + sum(
                rng.uniform(0.01, 0.05) * np.sin(rng.uniform(3, 25) * x + rng.uniform(0, 6)) for _ in range(3)
            )
        )
        pixels[y > ridge] = rng.uniform(30, 120, 3) * (1.3 - 0.2 * depth)
    for _ in range(9):
        centre, radius = rng.uniform(0.1, 0.9, 2), rng.uniform(0.02, 0.09)
        distance = np.hypot(x - centre[0], (y - centre[1]) * height / width)
        shade = np.clip(1.2 - distance / radius * 0.6, 0, 1)[..., None]
        pixels = np.where(distance[..., None] < radius, rng.uniform(60, 255, 3) * shade, pixels)
    return _few_colours(Image.fromarray(pixels.clip(0, 255).astype(np.uint8)))


def _texture(side: int, seed: int) -> Image.Image:
    """Sum of random waves: fine structure without an object."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:side, 0:side] / side
    waves = sum(
        np.sin(2 * np.pi * (rng.uniform(-14, 14) * x + rng.uniform(-14, 14) * y) + rng.uniform(0, 6))[
            ..., None
        ]
        * rng.uniform(-1, 1, 3)
        for _ in range(6)
    )
    return _few_colours(Image.fromarray((127 + 45 * waves).clip(0, 255).astype(np.uint8)), 16)


def _few_colours(image: Image.Image, step: int = 4) -> Image.Image:
    return Image.fromarray((np.asarray(image) // step * step).astype(np.uint8))
