import numpy as np
import pytest
from PIL import Image

from assay_training.degrade import DEGRADATIONS, degrade, strength_at, white_noise
from assay_training.tower.features import LADDERS

SIZE = (256, 192)


@pytest.fixture(scope="module")
def image() -> Image.Image:
    """A gradient with sharp squares on it."""
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    pixels = np.stack([60 + x // 2, 200 - y // 2, 100 + (x + y) // 8], -1)
    pixels[(x // 16 + y // 16) % 3 == 0] = (230, 40, 60)
    return Image.fromarray(pixels.astype(np.uint8))


def worse(image: Image.Image, kind: str, strength: float, seed: int = 0) -> np.ndarray:
    found = degrade(image, kind, strength, np.random.default_rng(seed))
    assert (found.size, found.mode) == (image.size, "RGB")
    return np.asarray(found)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("kind", DEGRADATIONS)
def test_size_and_mode_stay_and_the_picture_changes(image, kind, share):
    strength, before = strength_at(kind, share), np.asarray(image).copy()
    assert (worse(image, kind, strength) != before).any()
    np.testing.assert_array_equal(np.asarray(image), before)


@pytest.mark.parametrize("kind", DEGRADATIONS)
def test_a_seed_always_gives_the_same_copy(image, kind):
    strength = strength_at(kind, 0.5)
    np.testing.assert_array_equal(worse(image, kind, strength), worse(image, kind, strength))


@pytest.mark.parametrize("kind", ["noise", "shuffled", "warped", "smeared"])
def test_another_seed_gives_another_copy(image, kind):
    strength = strength_at(kind, 0.5)
    assert (worse(image, kind, strength) != worse(image, kind, strength, 1)).any()


@pytest.mark.parametrize("kind", ["blur", "jpeg", "noise", "dark", "flat", "enlarged", "warped"])
def test_heavy_damage_changes_more_than_mild(image, kind):
    mild, heavy = (np.abs(worse(image, kind, strength_at(kind, s)) - np.array(image, float)) for s in (0, 1))
    assert heavy.mean() > 1.2 * mild.mean()


@pytest.mark.parametrize("kind", LADDERS)
def test_ladders_climb_from_mild_to_heavy(image, kind):
    known, steps = DEGRADATIONS[kind], LADDERS[kind]
    assert list(steps) == sorted(steps, reverse=known.heavy < known.mild)
    assert all((worse(image, kind, step) != np.asarray(image)).any() for step in steps)


def test_unknown_kind_is_refused_with_the_known_ones(image):
    with pytest.raises(ValueError, match=r"unknown degradation 'melted', expected one of blur, jpeg"):
        degrade(image, "melted", 1, np.random.default_rng(0))


@pytest.mark.parametrize("kind", DEGRADATIONS)
def test_strength_runs_from_mild_to_heavy(kind):
    known = DEGRADATIONS[kind]
    assert strength_at(kind, 0) == pytest.approx(known.mild)
    assert strength_at(kind, 1) == pytest.approx(known.heavy)
    assert strength_at(kind, 0.5) == pytest.approx((known.mild * known.heavy) ** 0.5)


def test_white_noise_has_no_structure():
    pixels = np.asarray(white_noise(64, np.random.default_rng(0)), float)
    assert pixels.shape == (64, 64, 3)
    assert abs(np.corrcoef(pixels[:, :-1].ravel(), pixels[:, 1:].ravel())[0, 1]) < 0.05
