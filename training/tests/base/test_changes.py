"""Harmless changes keep what they should, and crops that are compared have the same area."""

from __future__ import annotations

import numpy as np
from PIL import Image

from assay_training.base.changes import SHAPE_PAIRS, WOBBLE, harmless, squeezed, wide_and_square
from assay_training.base.foreign import KINDS, TURNED, drawn

PICTURE = Image.fromarray(
    np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8).repeat(8, 0).repeat(8, 1)
)


def test_crops_have_one_area():
    for shape in SHAPE_PAIRS.values():
        wide, square = wide_and_square(PICTURE, shape)
        areas = [image.size[0] * image.size[1] for image in (wide, square)]
        assert abs(wide.size[0] / wide.size[1] - shape) < 0.02
        assert square.size[0] == square.size[1]
        assert abs(areas[0] / areas[1] - 1) < 0.01


def test_squeezing_keeps_the_area():
    found = squeezed(PICTURE, 9 / 16)
    assert abs(found.size[0] / found.size[1] - 9 / 16) < 0.01
    assert abs(found.size[0] * found.size[1] / 512**2 - 1) < 0.01


def test_changes_are_repeatable_and_harmless_ones_stay_large():
    for change in WOBBLE.values():
        assert min(change(PICTURE).size) > 450
    sizes = {harmless(np.random.default_rng(seed))(PICTURE).size for seed in range(20)}
    assert harmless(np.random.default_rng(3)) == harmless(np.random.default_rng(3))
    assert len(sizes) > 10
    assert min(min(size) for size in sizes) > 120


def test_harmless_changes_are_of_all_kinds_and_keep_the_area_they_name():
    drawn = [harmless(np.random.default_rng(seed)) for seed in range(60)]
    assert {change.file and change.file[0] for change in drawn} == {None, "WEBP", "JPEG"}
    assert {change.mirrored for change in drawn} == {True, False}
    for change in drawn[:20]:
        width, height = change(PICTURE).size
        wanted = change.area * (change.factor or 1) ** 2
        assert abs(width * height / 512**2 / wanted - 1) < 0.03
        assert abs(width / height / change.shape - 1) < 0.03


def test_drawn_pictures_of_both_sets_differ():
    for kind in KINDS:
        first, second = (np.asarray(drawn(kind, 0, new)) for new in (False, True))
        again = np.asarray(drawn(kind, 0, False))
        assert (first == again).all()
        assert first.shape != second.shape or (first != second).any()
    for turn in TURNED.values():
        assert turn(PICTURE, np.random.default_rng(0), True).mode == "RGB"
