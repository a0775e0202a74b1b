"""Figures of agreement once more, from the scores per image beside the results: without weights."""

from __future__ import annotations

import json
from pathlib import Path

from assay_training.base.card import write_card as write_base_card
from assay_training.data import DataError, Ratings
from assay_training.report import shortened
from assay_training.tower.agreement import agreement
from assay_training.tower.card import write_card
from assay_training.tower.predictions import read_predictions, seeds_of
from assay_training.tower.report import agreement_lines

ASPECTS = ("quality", "alignment")


def last_of(results: Path) -> Path:
    """Scores of the scorer before the one whose results these are."""
    return results.with_name("tower.csv" if results.stem == "base" else "last.csv")


def figures(ratings: Ratings, results: Path) -> dict[str, dict]:
    """Tables by aspect, of the file beside `results` that ends in .csv, paired to the scorer before, if at
    hand.

    Raises DataError if there is no such file.
    """
    kept = read_predictions(results.with_suffix(".csv"), ratings)
    if kept is None:
        raise DataError(f"{results.with_suffix('.csv')}: file not found; the stage `package` writes it")
    last = read_predictions(last_of(results), ratings) or {}
    tables = {
        aspect: agreement(ratings, seeds_of(kept, aspect), getattr(ratings, aspect), last.get(aspect))
        for aspect in ASPECTS
    }
    return shortened(tables)  # as they are kept


def print_figures(tables: dict[str, dict]) -> None:
    """One figure a line; seeds are counted, since not all of them may be kept."""
    for aspect, table in tables.items():
        count = len(table["srcc"]["seeds"])
        for line in agreement_lines(aspect, table):
            print(f"{line} ({count} seed{'' if count == 1 else 's'})", flush=True)


def renew(tables: dict[str, dict], results: Path, model: Path) -> None:
    """Puts tables of all seeds into `results`, and writes the card of the model folder anew."""
    stored = json.loads(results.read_text(encoding="utf-8"))
    for aspect, table in tables.items():
        if len(table["srcc"]["seeds"]) == len(stored["seeds"]):
            stored[aspect] |= table
    results.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
    write = write_base_card if results.stem == "base" else write_card
    write(model / "card.md", json.loads(results.read_text(encoding="utf-8")))
