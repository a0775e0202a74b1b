"""Landscapes from sines: what the examples score, so that none needs a download."""

import numpy as np

PROMPT = "a mountain landscape with a low sun"


def landscapes(count, size=256, first=0):
    """Images [count, size, size, 3], float32 0..1."""
    return np.stack([_landscape(np.random.default_rng(5 + first + at), size) for at in range(count)])


def _landscape(random, size):
    y, x = np.mgrid[0:size, 0:size] / size
    image = np.array([0.35, 0.55, 0.85]) * (1 - y[..., None]) + np.array([0.95, 0.8, 0.6]) * y[..., None]
    for layer in range(4):
        waves = [np.sin(2 * np.pi * (x * n * random.uniform(0.6, 1.6) + random.uniform())) / n for n in range(1, 6)]
        colour = np.array([0.2, 0.35, 0.25]) * (1 - 0.18 * layer) * random.uniform(0.7, 1.3, 3)
        grain = 1 + 0.05 * random.standard_normal((size, size, 1))
        ridge = 0.45 + 0.13 * layer + 0.08 * sum(waves)
        image = np.where((y > ridge)[..., None], colour * grain, image)
    sun = np.exp(-((x - random.uniform(0.2, 0.8)) ** 2 + (y - random.uniform(0.1, 0.3)) ** 2) / 0.004)
    return np.clip(image + sun[..., None] * np.array([1.0, 0.9, 0.6]), 0, 1).astype(np.float32)
