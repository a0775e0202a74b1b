from dataclasses import fields, is_dataclass, replace

import numpy as np
import pytest

from assay_training.degrade import DEGRADATIONS
from assay_training.metrics import srcc
from assay_training.tower.heads import LOSSES, MILD, Heads, damaged_ratings, fit_heads
from assay_training.tower.kernel import Kernel, fit_projection, solve
from assay_training.tower.rounding import rounded
from tower.tower_world import SMALL, World

WORLD = World()
RATINGS, FEATURES = WORLD.ratings, WORLD.features
TRAIN, TEST = (np.flatnonzero(part) for part in (RATINGS.fold != 0, RATINGS.fold == 0))


@pytest.fixture(scope="module")
def fitted() -> Heads:
    return fit_heads(FEATURES, WORLD.table(), TRAIN, SMALL, seed=0)


def numbers(part: object, path: str = "") -> dict[str, object]:
    """Everything that is fitted, by name, whatever it is nested in."""
    found = {}
    for field in fields(part):
        value, name = getattr(part, field.name), f"{path}.{field.name}"
        found |= numbers(value, name) if is_dataclass(value) else {name: value}
    return found


def test_projection_has_mean_square_length_one_and_no_mean():
    rng = np.random.default_rng(0)
    x = rng.normal(3, [1, 1.5, 2, 2.5], (200, 4)) @ rng.normal(size=(4, 60)) + rng.normal(0, 0.1, (200, 60))
    found = fit_projection(x, 4)(x)
    assert (found**2).sum(1).mean() == pytest.approx(1, rel=0.03)
    np.testing.assert_allclose(found.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(np.corrcoef(found.T), np.eye(4), atol=0.1)
    assert (np.diff(found.var(0)) < 0).all()


def test_projection_of_few_rows_has_fewer_components():
    assert fit_projection(np.random.default_rng(0).normal(size=(5, 40)), 30).axes.value.shape == (40, 4)


def test_kernel_regression_finds_a_smooth_function():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (400, 2)).astype(np.float32)
    y = np.sin(3 * x[:, :1]) * x[:, 1:] + 2
    kernel = Kernel(rounded(x[:60], 8), 2.0)
    weight, offset = solve(kernel, x[:300], y[:300], 1e-3)
    found = kernel(x[300:]) @ weight + offset
    assert np.abs(found - y[300:]).max() < 0.1
    assert found.std() > 0.2


def test_far_from_everything_the_prediction_is_the_mean_or_nothing():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(100, 3)), rng.normal(2, 1, (100, 1))
    kernel = Kernel(rounded(x[:30], 8), 1.0)
    weight, offset = solve(kernel, x, y, 0.1)
    assert (kernel(np.full((1, 3), 50.0)) @ weight + offset)[0, 0] == pytest.approx(y.mean())
    weight, offset = solve(kernel, x, y, 0.1, centred=False)
    assert (kernel(np.full((1, 3), 50.0)) @ weight + offset)[0, 0] == 0


def test_rows_without_trust_do_not_count():
    rng = np.random.default_rng(0)
    x, y, trust = rng.normal(size=(80, 3)), rng.normal(size=(80, 2)), np.repeat([1.0, 0.0], 40)
    kernel = Kernel(rounded(x[:20], 8), 0.5)
    for one, other in zip(solve(kernel, x, y, 0.1, trust), solve(kernel, x[:40], y[:40], 0.1), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)


def test_projection_is_kept_in_four_bits():
    x = np.random.default_rng(0).normal(3, 2, (200, 10))
    found = fit_projection(x, 6)
    assert (found.axes.bits, found.axes.integers.shape) == (4, (10, 6))
    expected = (x - found.centre) / found.scale @ found.axes.value
    np.testing.assert_allclose(found(x), expected, atol=1e-4)


def test_landmarks_and_text_are_kept_in_eight_bits(fitted):
    assert (fitted.kernel.landmarks.bits, fitted.text_weight.bits) == (8, 8)


def test_heads_judge_new_prompts(fitted):
    response = fitted.respond(FEATURES.plain[TEST])
    assert srcc(fitted.quality(response)[:, 0], RATINGS.quality[TEST]) > 0.8
    assert srcc(fitted.alignment(response, WORLD.prompts[TEST])[:, 0], RATINGS.alignment[TEST]) > 0.8


def test_damaged_copies_score_less(fitted):
    copies = fitted.quality(fitted.respond(FEATURES.copies[TEST].reshape(-1, FEATURES.copies.shape[-1])))[
        :, 0
    ]
    before = fitted.quality(fitted.respond(FEATURES.plain[TEST]))[:, 0].repeat(2)
    assert (copies < before).mean() > 0.9
    assert srcc(copies, WORLD.supposed()[TEST].ravel()) > 0.7


def test_ratings_of_other_rows_change_nothing(fitted):
    table, rng = WORLD.table(), np.random.default_rng(9)
    quality, alignment, prompts = table.quality.copy(), table.alignment.copy(), table.prompts.copy()
    quality[TEST], alignment[TEST] = rng.uniform(0, 5, (2, len(TEST)))
    prompts[TEST] = 0
    plain, copies = FEATURES.plain.copy(), FEATURES.copies.copy()
    plain[TEST], copies[TEST] = 7, -7
    other = fit_heads(
        replace(FEATURES, plain=plain, copies=copies),
        replace(table, quality=quality, alignment=alignment, prompts=prompts),
        TRAIN,
        SMALL,
        seed=0,
    )
    for name, value in numbers(other).items():
        np.testing.assert_array_equal(value, numbers(fitted)[name], err_msg=name)


def test_agreement_prefers_the_right_prompt(fitted):
    shown = TEST[RATINGS.alignment[TEST] > 2.5]
    response = fitted.respond(FEATURES.plain[shown])
    other = WORLD.prompts[np.roll(shown, len(shown) // 2)]
    different = (other != WORLD.prompts[shown]).any(1)
    right, wrong = (fitted.agreement(response, p)[different] for p in (WORLD.prompts[shown], other))
    assert (right > wrong).mean() > 0.9
    means = [fitted.alignment(response, p)[different, 0].mean() for p in (WORLD.prompts[shown], other)]
    assert means[0] > means[1]


def test_prompts_that_say_nothing_get_no_say():
    table, rng = WORLD.table(), np.random.default_rng(3)
    number = RATINGS.prompt[:, None] == np.unique(RATINGS.prompt)
    prompts = number @ rng.normal(size=(number.shape[1], 40)) / 40**0.5
    alignment = table.alignment + rng.normal(0, 0.5, len(number))
    # the text part can learn its own rows by heart, which must not impress the last step
    eager = replace(SMALL, landmarks=200, components=20, gamma=2.0, text_strength=1e-4)
    found = fit_heads(FEATURES, replace(table, prompts=prompts, alignment=alignment), TRAIN, eager, seed=0)
    response = found.respond(FEATURES.plain[TRAIN])
    agreement = found.agreement(response, prompts[TRAIN])
    assert agreement.mean() > 0.5  # by heart, indeed
    assert (agreement * found.mix[3]).std() < 0.25  # 0.5 if the last step saw what is known by heart


def test_an_empty_prompt_agrees_with_nothing(fitted):
    response, nothing = fitted.respond(FEATURES.plain[TEST]), np.zeros_like(WORLD.prompts[TEST])
    assert not fitted.agreement(response, nothing).any()
    assert np.isfinite(fitted.alignment(response, nothing)).all()


def test_agreement_without_a_look_is_zero(fitted):
    response = np.zeros((1, len(fitted.kernel.landmarks.integers)))
    np.testing.assert_array_equal(fitted.agreement(response, WORLD.prompts[:1]), 0)


def test_spread_follows_the_size_of_errors(fitted):
    spread = fitted.quality(fitted.respond(FEATURES.plain[TEST]))[:, 1]
    noisy = WORLD.noisy[TEST]
    assert spread[noisy].mean() > 1.3 * spread[~noisy].mean()
    assert (spread >= 0.15).all()


def test_pictures_without_content_are_bad_and_far_away(fitted):
    held_out, far = FEATURES.noise[1::2], np.full((1, FEATURES.noise.shape[1]), 100, np.float32)
    assert np.median(fitted.quality(fitted.respond(held_out))[:, 0]) < np.quantile(RATINGS.quality, 0.1)
    assert fitted.foreignness(far)[0] > 10 * np.median(fitted.foreignness(FEATURES.plain[TEST]))


def test_foreignness_is_one_on_average_for_what_the_heads_were_fitted_to(fitted):
    known = np.concatenate([FEATURES.plain[TRAIN], FEATURES.copies[TRAIN[::3], 0]])
    found = fitted.foreignness(known)
    assert found.shape == (len(known),)
    assert found.mean() == pytest.approx(1, rel=1e-3)
    z = (known - known.mean(0)) / known.std(0)
    np.testing.assert_allclose(found, (z**2).mean(1), rtol=1e-2)


def test_supposed_ratings_lie_between_the_mildest_and_the_heaviest_loss():
    assert LOSSES.keys() == DEGRADATIONS.keys()
    kind = np.tile(np.arange(len(DEGRADATIONS)), (2, 1))
    loss = np.array([LOSSES[name] for name in DEGRADATIONS])
    rating = np.array([4.0, 0.0])
    mild, heavy = (damaged_ratings(rating, kind, np.full(kind.shape, share)) for share in (0.0, 1.0))
    np.testing.assert_allclose(mild[0], 4 * (1 - MILD * loss))
    np.testing.assert_allclose(heavy[0], 4 * (1 - loss))
    assert not mild[1].any()
    middle = damaged_ratings(rating, kind, np.full(kind.shape, 0.5))
    assert ((middle[0] < mild[0]) & (middle[0] > heavy[0])).all()
