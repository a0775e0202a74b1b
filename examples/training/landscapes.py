"""The pictures that the model learns to draw: four kinds of landscape, 64 x 64, each with its prompt."""

import numpy as np

SIZE = 64
PROMPTS = (
    "a low sun over a calm sea",
    "snowy mountains under a blue sky",
    "green hills with a cloud above",
    "a desert with dunes at dusk",
)
#: Sky at the top and at the horizon, land, what stands in the sky; of each kind.
_COLOURS = np.array(
    [
        [[0.25, 0.30, 0.55], [0.98, 0.62, 0.35], [0.15, 0.28, 0.45], [1.00, 0.90, 0.60]],
        [[0.25, 0.50, 0.85], [0.75, 0.87, 0.97], [0.55, 0.60, 0.68], [1.00, 1.00, 1.00]],
        [[0.40, 0.65, 0.92], [0.85, 0.93, 0.98], [0.22, 0.50, 0.20], [0.97, 0.97, 0.97]],
        [[0.35, 0.20, 0.40], [0.95, 0.55, 0.40], [0.75, 0.50, 0.28], [0.98, 0.85, 0.65]],
    ]
)
_SPARE = 2  # drawn so many times larger, then averaged: smooth edges


def draw(kinds: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Images [N, 3, 64, 64] float32 0..1, of the kinds [N]."""
    side = SIZE * _SPARE
    large = np.stack([_one(kind, random, side) for kind in kinds])
    small = large.reshape(len(kinds), SIZE, _SPARE, SIZE, _SPARE, 3).mean((2, 4))
    return np.ascontiguousarray(small.transpose(0, 3, 1, 2), dtype=np.float32)


def _one(kind: int, random: np.random.Generator, side: int) -> np.ndarray:
    y, x = np.mgrid[0:side, 0:side] / side
    top, low, land, thing = _COLOURS[kind] * random.uniform(0.85, 1.1, (4, 3))
    horizon = random.uniform(0.45, 0.6)
    image = top + (low - top) * np.clip(y / horizon, 0, 1)[..., None]
    across, up = random.uniform(0.2, 0.8), random.uniform(0.12, 0.3)
    wide = 3.0 if kind in (1, 2) else 1.0
    disc = np.exp(-(((x - across) ** 2 / wide + (y - up) ** 2) / 0.004))
    image = image + np.clip(disc, 0, 1)[..., None] * (thing - image)
    for layer in range(3):
        ridge = horizon + 0.14 * layer + _ridge(kind, x[0], random)
        shade = land * (1 - 0.2 * layer) * (1 + 0.25 * (y - ridge))[..., None]
        if kind == 1 and layer == 0:
            shade = np.where((y < ridge + 0.09)[..., None], 0.96, shade)
        if kind == 0:
            shade = shade + 0.08 * np.sin(90 * y + 8 * x)[..., None]
        image = np.where((y > ridge)[..., None], shade, image)
    return np.clip(image, 0, 1)


def _ridge(kind: int, x: np.ndarray, random: np.random.Generator) -> np.ndarray:
    height = (0.0, 0.16, 0.07, 0.05)[kind]
    waves = [np.sin(2 * np.pi * (x * n * random.uniform(0.6, 1.3) + random.uniform())) / n for n in (1, 2, 3)]
    peaks = np.abs(sum(waves)) if kind == 1 else sum(waves)
    return -height * peaks
