"""A tiny data set, so that no test needs the real one; and the same chance for each test in every run."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from assay_training.data import COLUMNS

GENERATORS = ("AttnGAN_normal", "sd1.5_normal", "sd1.5_lowstep")


@pytest.fixture(autouse=True)
def seeded() -> None:
    """What torch draws without a generator of its own."""
    torch.manual_seed(0)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Five prompts by three generators, 192-pixel images, one prompt per fold."""
    folder = tmp_path / "data"
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    rows = []
    for prompt in range(5):
        for number, generator in enumerate(GENERATORS):
            name = f"{generator}_{prompt}.png"
            Image.fromarray(rng.integers(0, 256, (192, 192, 3), np.uint8)).save(folder / "images" / name)
            row = dict.fromkeys(COLUMNS, 0.5)
            mos = 1 + number + 0.1 * prompt
            row |= {"name": name, "generator": generator, "prompt": f"prompt {prompt}", "fold": prompt}
            rows.append(row | {"mos_quality": mos, "mos_align": mos})
    write_table(folder, rows)
    return folder


def write_table(folder: Path, rows: list[dict]) -> None:
    """Writes ratings.csv with the columns of the first row."""
    with (folder / "ratings.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def read_table(folder: Path) -> list[dict]:
    """Rows of ratings.csv as text."""
    with (folder / "ratings.csv").open(newline="") as file:
        return list(csv.DictReader(file))
