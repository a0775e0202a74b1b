"""A tiny data set, a hand-made tflite file and a random net, so that no test needs the real ones."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from assay_training.data import COLUMNS
from assay_training.lite.model import LiteNet

GENERATORS = ("AttnGAN_normal", "sd1.5_normal", "sd1.5_lowstep")


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


@pytest.fixture(scope="session")
def net() -> LiteNet:
    """A net with random weights that keep activations in a sane range, and a non-trivial standardisation."""
    torch.manual_seed(0)
    net = LiteNet().to(memory_format=torch.channels_last).eval()
    with torch.no_grad():
        for conv in net.backbone.convolutions():
            torch.nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
        net.centre.normal_()
        net.scale.uniform_(0.5, 2)
        net.spread.weight.mul_(0.1)
    return net
