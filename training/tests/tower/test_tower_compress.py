import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from assay_training.tower.clip import MATRICES, SHAPE, Tower, to_pixels
from assay_training.tower.codebook import GROUP
from assay_training.tower.compress import Product, Recipe, compress, load, neurons, refitted, save
from tower.tower_world import RECIPE


def seen(tower: Tower, images: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return tower(to_pixels(images)).numpy()


def inputs_of(tower: Tower, images: np.ndarray) -> dict[str, np.ndarray]:
    """What every matrix of the blocks is fed with."""
    found, hooks = {}, []
    for index, block in enumerate(tower.blocks):
        for name in MATRICES:

            def note(layer, values: tuple[Tensor], key: str = f"{index}.{name}") -> None:
                found[key] = values[0].numpy()

            hooks.append(getattr(block, name).register_forward_pre_hook(note))
    seen(tower, images)
    for hook in hooks:
        hook.remove()
    return found


def test_rounded_tower_sees_what_the_original_sees(tower, compressed, pixels, calibration):
    for images, least in ((calibration, 0.98), (pixels, 0.9)):
        expected, found = seen(tower, images), seen(compressed.tower, images)
        assert np.corrcoef(expected.ravel(), found.ravel())[0, 1] > 0.995
        # and tells pictures apart by the same differences
        off = [(values - values.mean(0)).ravel() for values in (expected, found)]
        assert np.corrcoef(*off)[0, 1] > least


def test_errors_are_those_of_the_tokens_after_each_block(tower, compressed, calibration):
    with torch.inference_mode():
        wanted = found = tower.embed(to_pixels(calibration))
        errors = []
        for block, target in zip(tower.blocks, compressed.tower.blocks, strict=True):
            wanted, found = block(wanted), target(found)
            errors.append(
                float((wanted - found).square().mean() / (wanted - wanted.mean((0, 1))).square().mean())
            )
    assert compressed.errors == pytest.approx(errors, rel=1e-3)
    assert 0 < max(errors) < 0.014  # more if matrices are not refitted, or rounded without feedback


def test_what_one_block_loses_the_next_takes_back(tower, calibration):
    first, second = compress(tower, calibration, replace(RECIPE, hidden=(8, 128)), threads=1).errors
    assert first > 0.1  # with so few neurons
    assert second < 0.4 * first


def test_every_matrix_becomes_a_product_that_the_tower_holds(tower, compressed):
    assert list(compressed.products) == [f"{index}.{name}" for index in range(2) for name in MATRICES]
    for key, product in compressed.products.items():
        index, name = key.split(".")
        layer = getattr(compressed.tower.blocks[int(index)], name)
        expected = product.coded.integers() * product.coded.scale[:, None] / product.reach
        np.testing.assert_allclose(layer.weight.detach().numpy(), expected, rtol=1e-6)
        np.testing.assert_array_equal(layer.bias.detach().numpy(), product.bias)
    for name in ("patch.weight", "first", "position", "norm.weight", "blocks.1.ln2.bias"):
        assert torch.equal(compressed.tower.state_dict()[name], tower.state_dict()[name]), name


def test_as_many_neurons_stay_as_the_recipe_says(compressed):
    shapes = [(block.fc1.weight.shape, block.fc2.weight.shape) for block in compressed.tower.blocks]
    assert shapes == [((96, 64), (64, 96)), ((128, 64), (64, 128))]
    assert [len(compressed.products[f"{index}.fc2"].reach) for index in (0, 1)] == list(RECIPE.hidden)


def test_original_is_left_as_it_was(tower, calibration):
    before = copy.deepcopy(tower.state_dict())
    compress(tower, calibration[:12], RECIPE, threads=1)
    for name, value in tower.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_inputs_divided_by_reach_lie_between_minus_one_and_one(compressed, calibration):
    for name, values in inputs_of(compressed.tower, calibration).items():
        share = np.abs(values).max((0, 1)) / compressed.products[name].reach
        assert share.max() < 0.91, name
        assert share.max() > 0.1, name


def test_channels_share_a_reach_unless_they_have_outliers():
    torch.manual_seed(0)
    inputs = torch.randn(8, 20, 64)
    inputs[0, 0, 5] = 100.0
    weight = torch.randn(32, 64)
    reach = refitted(weight, inputs, inputs @ weight.T, RECIPE).reach
    assert reach[5] == pytest.approx(110)  # a tenth more than was seen
    usual = 16 * float(inputs.square().mean().sqrt())
    np.testing.assert_allclose(np.delete(reach, 5), usual, rtol=1e-5)


def applied(product: Product, inputs: Tensor) -> Tensor:
    """What a product makes of plain inputs [N, T, C]."""
    return inputs / torch.from_numpy(product.reach) @ torch.from_numpy(
        product.coded.matrix()
    ).T + torch.from_numpy(product.bias)


def test_refitted_matrix_makes_up_for_errors_of_its_inputs():
    torch.manual_seed(0)
    plain, weight = torch.randn(40, 20, 64), torch.randn(32, 64)
    outputs = plain @ weight.T + 3
    wrong = 0.5 * plain + 1  # what came before is off, in a way that can be undone
    found = applied(refitted(weight, wrong, outputs, replace(RECIPE, stay=1e-4)), wrong)
    assert (found - outputs).square().mean() < 0.15 * outputs.var()
    assert (wrong @ weight.T + 3 - outputs).square().mean() > 0.5 * outputs.var()


def test_class_tokens_count_more():
    torch.manual_seed(0)
    inputs, weight = torch.randn(60, 5, 64), torch.randn(32, 64)
    outputs = inputs @ weight.T
    outputs[:, 0] = inputs[:, 0] @ torch.randn(32, 64).T  # class tokens want another matrix
    errors = []
    for trust in (1.0, 100.0):
        product = refitted(weight, inputs, outputs, replace(RECIPE, class_token=trust, stay=1e-4))
        off = (applied(product, inputs) - outputs).square().mean((0, 2))
        errors.append((float(off[0]), float(off[1:].mean())))
    assert errors[1][0] < 0.5 * errors[0][0]
    assert errors[1][1] > errors[0][1]


def test_pull_towards_the_original_is_no_stronger_for_channels_with_outliers():
    torch.manual_seed(0)
    inputs, wanted = torch.randn(200, 20, 64), torch.randn(32, 64)
    inputs[0, 0, 5] = 60.0
    recipe = replace(RECIPE, class_token=1.0, stay=1.0)
    product = refitted(torch.zeros(32, 64), inputs, inputs @ wanted.T, recipe)
    found = torch.from_numpy(product.coded.matrix() / product.reach)
    share = (found * wanted).sum(0) / wanted.square().sum(0)
    assert 0.4 < share.mean() < 0.6  # half way between nothing and what is wanted
    assert share[5] > 0.4


def test_saved_tower_sees_the_same_bit_for_bit(tower, compressed, pixels, tmp_path):
    save(compressed, tmp_path / "compressed.npz")
    found = load(copy.deepcopy(tower), tmp_path / "compressed.npz")
    np.testing.assert_array_equal(seen(found.tower, pixels), seen(compressed.tower, pixels))
    assert found.errors == compressed.errors
    assert found.products.keys() == compressed.products.keys()
    for name, product in compressed.products.items():
        again = found.products[name]
        for part in ("codes", "book", "scale"):
            one, other = getattr(again.coded, part), getattr(product.coded, part)
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other, err_msg=f"{name}.{part}")
        np.testing.assert_array_equal(again.reach, product.reach)
        np.testing.assert_array_equal(again.bias, product.bias)


def test_a_seed_always_gives_the_same_tower(tower, calibration, pixels):
    first, again, other = (
        seen(compress(tower, calibration[:12], replace(RECIPE, seed=seed), threads=1).tower, pixels)
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_of_two_equal_neurons_one_goes():
    torch.manual_seed(0)
    hidden, weight = torch.randn(10, 12, 8), torch.randn(6, 8)
    hidden[..., 6] = hidden[..., 2]
    kept = neurons(hidden, weight, 7, RECIPE).tolist()
    assert len(kept) == 7
    assert kept == sorted(kept)
    assert {2, 6} & set(kept)
    assert set(range(8)) - set(kept) < {2, 6}


def test_neurons_that_say_nothing_go_first():
    torch.manual_seed(0)
    hidden, weight = torch.randn(10, 12, 8), torch.randn(6, 8)
    hidden[..., 1] = 5.0  # always the same
    weight[:, 4] = 0.0  # nobody listens
    assert neurons(hidden, weight, 6, RECIPE).tolist() == [0, 2, 3, 5, 6, 7]


def test_neurons_that_hardly_move_go_before_those_with_small_weights():
    torch.manual_seed(0)
    hidden, weight = torch.randn(40, 12, 8), torch.nn.functional.normalize(torch.randn(6, 8), dim=0)
    hidden[..., 3] *= 0.2
    weight[:, 3] *= 3  # large, but of little effect
    assert neurons(hidden, weight, 7, RECIPE).tolist() == [0, 1, 2, 4, 5, 6, 7]


def test_all_neurons_stay_if_all_are_asked_for():
    assert neurons(torch.zeros(1, 2, 8), torch.zeros(6, 8), 8, RECIPE).tolist() == list(range(8))


def test_shipped_recipe_fits_the_shipped_shape():
    counts = Recipe().hidden
    assert len(counts) == SHAPE.blocks
    assert all(count % GROUP == 0 and count <= SHAPE.hidden for count in counts)
