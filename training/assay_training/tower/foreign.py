"""How many pictures that are no AI images of the known kind the domain guard notices, per kind.

FOLDER holds one folder per kind (photographs, screenshots, pages, line-art ...); nothing is fitted to them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from assay_training.data import DataError
from assay_training.images import list_images, load_rgb, stretched
from assay_training.scorer import open_session
from assay_training.tower.clip import SHAPE
from assay_training.tower.words import CONTEXT

MOST = 120  # pictures per kind


def foreign_table(folder: Path, graph: Path, limit: float, quality_median: float) -> dict:
    """{kind: {images, caught, overrated}}: shares beyond the limit, and missed ones judged better than most.

    `overrated` counts those that pass the guard with a raw quality above `quality_median`.
    """
    kinds = sorted(path for path in folder.iterdir() if path.is_dir())
    if not kinds:
        raise DataError(f"{folder}: no folders; expected one per kind of picture")
    session = open_session(graph)
    return {kind.name: _row(kind, session, limit, quality_median) for kind in kinds}


def _row(folder: Path, session, limit: float, quality_median: float) -> dict:
    files = list_images(folder)
    files = [files[i] for i in np.random.default_rng(0).permutation(len(files))[:MOST]]
    if not files:
        raise DataError(f"{folder}: no pictures; expected png, jpg or webp")
    ids = np.zeros((1, CONTEXT), np.int64)
    found = np.array(
        [
            [
                float(value.ravel()[0])
                for value in session.run(["foreignness", "quality"], {"image": image, "ids": ids})
            ]
            for image in (stretched(load_rgb(path), SHAPE.side)[None] for path in files)
        ]
    )
    caught = found[:, 0] > limit
    return {
        "images": len(files),
        "caught": float(caught.mean()),
        "overrated": float((~caught & (found[:, 1] > quality_median)).mean()),
    }
