"""Rated images as plain numbers, made by a known rule that the heads have to find; and small stand-ins."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from assay_training.data import FOLDS, Ratings
from assay_training.degrade import DEGRADATIONS
from assay_training.tower.clip import Shape
from assay_training.tower.compress import Recipe
from assay_training.tower.features import COPIES, LADDERS, NOISE_IMAGES, Features
from assay_training.tower.heads import Settings, Table, damaged_ratings
from assay_training.tower.words import unit

GENERATORS = (
    "AttnGAN_normal",
    "DALLE2_normal",
    "sd1.5_normal",
    "sd1.5_lowstep",
    "sd1.5_lowcorr",
    "sd1.5_highcorr",
)
WIDTH, PROMPT_WIDTH = 24, 6
SMALL = Settings(components=12, landmarks=48, gamma=0.3)
# small, but every matrix holds more vectors than the codebook has room for
TINY = Shape(side=32, patch=8, trained_grid=3, width=64, heads=2, hidden=128, blocks=2, taps=(0, 1))
RECIPE = Recipe(hidden=(96, 128))
PICTURE = 192  # pixels a side: more than any degradation reduces a picture to

# pieces that the tiny tokenizer knows
WORDS = [
    "a",
    "the",
    "lake",
    "man",
    "old",
    "at",
    "dusk",
    "of",
    "hills",
    "blue",
    "sky",
    "very",
    ",",
    "##s",
    "##long",
]


class InlinePool:
    """In place of ProcessPoolExecutor: runs each call at once, in this process, so that patches hold."""

    def __init__(self, workers: int, mp_context: object = None) -> None:
        self.calls: list[object] = []

    def __enter__(self) -> InlinePool:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def submit(self, function, *arguments) -> InlinePool:
        self.calls.append(function(*arguments))
        return self

    def result(self) -> object:
        return self.calls[-1]


def squares(rng: np.random.Generator, side: int) -> np.ndarray:
    """uint8 [side, side, 3]: coloured squares and a little noise."""
    large = rng.integers(20, 230, (8, 8, 3)).repeat(side // 8, 0).repeat(side // 8, 1)
    small = rng.integers(0, 20, (side // 4, side // 4, 3)).repeat(4, 0).repeat(4, 1)
    return (large + small).astype(np.uint8)


def write_picture(path: Path, seed: int, side: int = PICTURE) -> None:
    """A picture of squares; the format is that of the name."""
    Image.fromarray(squares(np.random.default_rng(seed), side)).save(path)


class World:
    """Some prompts drawn by each of GENERATORS; statistics show quality and, if well aligned, the prompt.

    The `noisy` half is rated with a larger error, and looks different.
    """

    def __init__(self, prompts: int = 60, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        count = prompts * len(GENERATORS)
        number, generator = np.arange(count) // len(GENERATORS), np.arange(count) % len(GENERATORS)
        self.noisy = rng.random(count) < 0.5
        look = rng.uniform(0, 1, count)
        error = rng.normal(0, np.where(self.noisy, 0.6, 0.1))
        quality = (0.5 + 3 * look + 0.2 * generator + error).clip(0, 5)
        alignment = rng.uniform(0.5, 4.5, count)
        self.prompts = unit(rng.normal(size=(prompts, PROMPT_WIDTH)))[number]
        self.ratings = Ratings(
            Path(),
            np.array([f"{i}.png" for i in range(count)]),
            np.array(GENERATORS)[generator],
            np.array([f"prompt {i}" for i in number]),
            quality,
            alignment,
            number % FOLDS,
        )
        self.mix = rng.normal(size=(WIDTH, WIDTH))
        self.hidden = np.zeros((count, WIDTH))
        self.hidden[:, 0] = 4 * look
        self.hidden[:, 1] = 2 * self.noisy
        self.hidden[:, 2] = generator / 2
        self.hidden[:, 3 : 3 + PROMPT_WIDTH] = self.prompts * alignment[:, None]
        self.hidden[:, -1] = alignment / 2
        self.hidden += rng.normal(0, 0.1, self.hidden.shape)
        self.features = self._features(rng)

    def _features(self, rng: np.random.Generator) -> Features:
        count, good = len(self.hidden), self.ratings.quality >= np.median(self.ratings.quality)
        share, rows = rng.random((count, COPIES)), np.flatnonzero(good)[:20]
        steps = np.broadcast_to([0.3, 0.6, 0.9], (len(rows), len(LADDERS), 3))
        noise = np.zeros((NOISE_IMAGES, WIDTH)) + 0.1 * rng.normal(size=(NOISE_IMAGES, WIDTH))
        noise[:, 9] = 8
        return Features(
            self._statistics(self.hidden),
            self._statistics(self._damaged(self.hidden[:, None], share)),
            rng.integers(len(DEGRADATIONS), size=(count, COPIES)),
            share,
            rows,
            self._statistics(self._damaged(self.hidden[rows][:, None, None], steps)),
            self._statistics(noise),
            self._statistics(self.hidden[::5] + 1),
        )

    @staticmethod
    def _damaged(hidden: np.ndarray, share: np.ndarray) -> np.ndarray:
        """Damage takes away the good look, and shows by itself."""
        found = np.broadcast_to(hidden, (*share.shape, WIDTH)).copy()
        found[..., 0] *= 1 - share
        found[..., 9] += 4 * share
        return found

    def _statistics(self, hidden: np.ndarray) -> np.ndarray:
        return (hidden @ self.mix).astype(np.float32)

    def table(self) -> Table:
        ratings = self.ratings
        return Table(ratings.quality, ratings.alignment, self.prompts, ratings.fold)

    def supposed(self) -> np.ndarray:
        """[N, COPIES] ratings of the copies."""
        return damaged_ratings(self.ratings.quality, self.features.kind, self.features.share)
