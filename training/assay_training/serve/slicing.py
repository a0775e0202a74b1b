"""How MiniCPM-V 2.5 looks at an image: the whole of it, and parts where it is large (arXiv 2403.11703)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image

SIDE = 448  # of a square with as many pixels as one view
PATCH = 14


@dataclass(frozen=True)
class Plan:
    """Sizes are (width, height). Without a grid the whole image is all that is seen."""

    whole: tuple[int, int]
    grid: tuple[int, int] | None = None  # columns, rows
    refined: tuple[int, int] | None = None  # the size that is cut into the grid


def plan(width: int, height: int, most: int) -> Plan:
    """What is seen of an image, with at most `most` parts."""
    parts = min(math.ceil(width * height / (SIDE * SIDE)), most)
    if parts <= 1:
        return Plan(fitted(width, height, enlarge=True))
    grid = best_grid(width / height, parts, most)
    columns, rows = grid
    cell = (divisible(width, columns) / columns, divisible(height, rows) / rows)
    cell_width, cell_height = fitted(*cell, enlarge=True)
    return Plan(fitted(width, height), grid, (cell_width * columns, cell_height * rows))


def best_grid(ratio: float, parts: int, most: int) -> tuple[int, int]:
    """Of one part more or less, the grid whose shape is nearest that of the image; the first of equals."""
    counts = [count for count in (parts - 1, parts, parts + 1) if 1 < count <= most]
    grids = [(c, count // c) for count in counts for c in range(1, count + 1) if count % c == 0]
    return min(grids, key=lambda grid: abs(math.log(ratio) - math.log(grid[0] / grid[1])))


def fitted(width: float, height: float, enlarge: bool = False) -> tuple[int, int]:
    """Whole patches in the same shape, of SIDE x SIDE pixels if it has more, or is to have as many."""
    if width * height > SIDE * SIDE or enlarge:
        ratio = width / height
        height = int(SIDE / math.sqrt(ratio))
        width = int(height * ratio)
    return divisible(width, PATCH), divisible(height, PATCH)


def divisible(length: float, by: int) -> int:
    """The nearest multiple, halves to the even one; at least one."""
    return max(round(length / by) * by, by)


def views(image: Image.Image, most: int) -> tuple[list[Image.Image], tuple[int, int] | None]:
    """The whole image and its parts row by row, and their grid (columns, rows) if there are parts."""
    sizes = plan(*image.size, most)
    whole = image.resize(sizes.whole, Image.Resampling.BICUBIC)
    if not sizes.grid:
        return [whole], None
    return [whole, *_parts(image.resize(sizes.refined, Image.Resampling.BICUBIC), sizes.grid)], sizes.grid


def _parts(image: Image.Image, grid: tuple[int, int]) -> Iterator[Image.Image]:
    width, height = image.width // grid[0], image.height // grid[1]
    for top in range(0, image.height, height):
        for left in range(0, image.width, width):
            yield image.crop((left, top, left + width, top + height))
