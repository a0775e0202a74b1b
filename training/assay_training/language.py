"""What stands in for a language model elsewhere where graphs are tried: golden results, variants.

The daemon has the same numbers for it (src/reward/language.ts), so that golden results can be compared.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from assay_training.prepare import Inputs

REHEARSED = 16  # positions of a conversation that is made up
LENGTHS = (60, 400)  # of made-up ones that differ


def stand_ins(language: dict | None, count: int) -> Inputs:
    """Inputs of `score` for `count` images by the manifest's `language`, all the same: values of -1 to 1.

    [count, width] where positions are averaged, else [count, positions, width]. None: no inputs.
    """
    return dict(_rows(language, count)) if language else {}


def made_up(language: dict | None, number: int) -> Inputs:
    """Inputs of `score` for one image, another one by each number: to compare variants on."""
    rng, found = np.random.default_rng(number), {}
    for one in language["inputs"] if language else ():
        rows = min(int(rng.integers(*LENGTHS)), one.get("maxPositions", LENGTHS[1]))
        values = rng.normal(0, 1, (1, rows, language["width"])).astype(np.float32)
        found[one["input"]] = values[:, 0] if one["pool"] == "mean" else values
    return found


def inputs_of(language: dict | None) -> set[str]:
    """Names of the inputs of `score` that a language model fills."""
    return {one["input"] for one in language["inputs"]} if language else set()


def _rows(language: dict, count: int) -> Iterator[tuple[str, np.ndarray]]:
    for one in language["inputs"]:
        rows = 1 if one["pool"] == "mean" else min(REHEARSED, one.get("maxPositions", REHEARSED))
        row, column = np.mgrid[:rows, : language["width"]]
        values = ((row * 31 + column * 17) % 101 / 50 - 1).astype(np.float32)
        found = np.broadcast_to(values, (count, *values.shape))
        yield one["input"], np.ascontiguousarray(found[:, 0] if one["pool"] == "mean" else found)
