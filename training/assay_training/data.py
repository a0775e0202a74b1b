"""AGIQA-3K as a table of rated images, split into folds that never share a prompt.

Li et al., "AGIQA-3K: An Open Database for AI-Generated Image Quality Assessment", IEEE TCSVT 2023.
Layout: DIR/ratings.csv and DIR/images/<name>.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

COLUMNS = ("name", "generator", "prompt", "mos_quality", "std_quality", "mos_align", "std_align", "fold")
FOLDS = 5
MOS_RANGE = (0.0, 5.0)
# one family per system that made the images: its variants differ only in sampler settings
FAMILIES = {
    "AttnGAN": ("AttnGAN_normal",),
    "DALLE2": ("DALLE2_normal",),
    "GLIDE": ("glide_normal",),
    "Midjourney": ("midjourney_normal", "midjourney_lowstep"),
    "SD1.5": ("sd1.5_normal", "sd1.5_lowstep", "sd1.5_lowcorr", "sd1.5_highcorr"),
    "XL2.2": ("xl2.2_normal",),
}


class DataError(ValueError):
    """The data folder is not as expected; the message names file, column and row."""


@dataclass(frozen=True)
class Ratings:
    """Rated images as columns of equal length N; mean opinion scores lie in 0..5, higher is better."""

    folder: Path
    name: np.ndarray
    generator: np.ndarray
    prompt: np.ndarray
    quality: np.ndarray
    alignment: np.ndarray
    fold: np.ndarray

    def __len__(self) -> int:
        return len(self.name)

    def family(self) -> np.ndarray:
        """[N] names of the generator families."""
        of = {generator: family for family, members in FAMILIES.items() for generator in members}
        return np.array([of.get(generator, generator) for generator in self.generator])

    def path(self, index: int) -> Path:
        """The image file of one row."""
        return self.folder / "images" / str(self.name[index])


def load_ratings(folder: Path) -> Ratings:
    """Reads and checks DIR/ratings.csv and the images. Raises DataError saying what is wrong where."""
    table = folder / "ratings.csv"
    if not table.is_file():
        raise DataError(f"{table}: file not found; expected the AGIQA-3K layout (ratings.csv, images/)")
    with table.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        missing = [column for column in COLUMNS if column not in (reader.fieldnames or [])]
        if missing:
            raise DataError(f"{table}: missing column {', '.join(missing)}; found {reader.fieldnames}")
        rows = list(reader)
    if not rows:
        raise DataError(f"{table}: no rows")
    ratings = Ratings(
        folder=folder,
        name=np.array([row["name"] for row in rows]),
        generator=np.array([row["generator"] for row in rows]),
        prompt=np.array([row["prompt"] for row in rows]),
        quality=_numbers(table, rows, "mos_quality", *MOS_RANGE),
        alignment=_numbers(table, rows, "mos_align", *MOS_RANGE),
        fold=_numbers(table, rows, "fold", 0, FOLDS - 1).astype(int),
    )
    _check_images(ratings)
    check_folds(ratings.prompt, ratings.fold, table)
    return ratings


def check_folds(prompts: np.ndarray, folds: np.ndarray, where: Path | str = "folds") -> None:
    """Raises DataError if a prompt appears in two folds: the test images would then not be new to the net."""
    seen: dict[str, int] = {}
    for prompt, fold in zip(prompts, folds, strict=True):
        if seen.setdefault(prompt, fold) != fold:
            raise DataError(
                f"{where}: column fold: prompt {str(prompt)!r} is in folds {seen[prompt]} and {fold}"
            )


def _numbers(table: Path, rows: list[dict], column: str, low: float, high: float) -> np.ndarray:
    values = np.empty(len(rows))
    for number, row in enumerate(rows):
        try:
            values[number] = float(row[column])
        except (TypeError, ValueError):
            raise DataError(
                f"{table}: line {number + 2}, column {column}: {row[column]!r} is no number"
            ) from None
        if not low <= values[number] <= high:
            raise DataError(
                f"{table}: line {number + 2}, column {column}: {row[column]} is outside {low}..{high}"
            )
    return values


def _check_images(ratings: Ratings) -> None:
    missing = [ratings.path(index) for index in range(len(ratings)) if not ratings.path(index).is_file()]
    if missing:
        raise DataError(f"{missing[0]}: image not found ({len(missing)} of {len(ratings)} missing)")
