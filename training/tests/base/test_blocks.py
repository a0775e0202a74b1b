"""Four-bit matrices: error feedback pays, and no sum of their products can leave 16 bits on any CPU."""

from __future__ import annotations

import numpy as np
import onnxruntime
import torch

from assay_training.base.blocks import BLOCK, HIGHEST, LOWEST, ZERO, Blocked, encode
from assay_training.base.nodes import FLOAT_ACTIVATIONS, INT8_ACTIVATIONS, Rows, nbits_product
from assay_training.graph import Graph

ROWS, COLUMNS = 24, 2 * BLOCK


def _inputs(count: int = 600) -> torch.Tensor:
    """Correlated, as activations are."""
    generator = torch.Generator().manual_seed(0)
    mix = torch.randn(40, COLUMNS, generator=generator)
    return torch.randn(count, 40, generator=generator) @ mix + torch.randn(
        count, COLUMNS, generator=generator
    )


def _weight() -> torch.Tensor:
    return torch.randn(ROWS, COLUMNS, generator=torch.Generator().manual_seed(1)) * 0.05


def test_feedback_beats_plain_rounding():
    x, weight = _inputs(), _weight()
    moments = x.T @ x / len(x)
    wanted = x @ weight.T
    errors = [
        float((x @ torch.from_numpy(encode(weight, given).matrix()).T - wanted).square().mean())
        for given in (moments, torch.eye(COLUMNS))
    ]
    assert errors[0] < 0.6 * errors[1]


def test_the_graph_multiplies_with_the_matrix():
    x, blocked = _inputs(9), encode(_weight(), torch.eye(COLUMNS))
    bias = np.linspace(-1, 1, ROWS).astype(np.float32)
    found = []
    for accuracy in (None, 0, 4):
        graph = Graph("product")
        graph.node("Identity", nbits_product(graph, "x", blocked, bias, "p", accuracy), name="y")
        model = graph.model({"x": (np.float32, ["n", COLUMNS])}, {"y": (np.float32, ["n", ROWS])})
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        found.append(session.run(None, {"x": x.numpy()})[0])
    plain, exact, eight_bits = found
    assert np.abs(exact - plain).max() < 1e-3 * np.abs(plain).max()
    assert np.abs(eight_bits - plain).max() < 0.02 * np.abs(plain).max()


def _products(x: np.ndarray, accuracy: int, rows: Rows | None) -> np.ndarray:
    graph, blocked = Graph("product"), encode(_weight(), torch.eye(COLUMNS))
    found = nbits_product(graph, "x", blocked, np.ones(ROWS, np.float32), "p", accuracy, rows)
    graph.node("Identity", found, name="y")
    shapes = ["n", x.shape[1], COLUMNS], ["n", x.shape[1], ROWS]
    model = graph.model({"x": (np.float32, shapes[0])}, {"y": (np.float32, shapes[1])})
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def test_a_row_in_two_parts_is_nearly_exact():
    rows, seen = Rows(count=8, spare=6), slice(0, 6)
    x = _inputs(16).numpy().reshape(2, 8, COLUMNS)
    x[:, 0, ::50] *= 20  # outliers, which spoil what shares a step with them
    exact, plain, parted = (
        _products(x, accuracy, given)[:, seen]
        for accuracy, given in ((FLOAT_ACTIVATIONS, rows), (INT8_ACTIVATIONS, None), (INT8_ACTIVATIONS, rows))
    )
    errors = [np.abs(found - exact).max((0, 2)) for found in (plain, parted)]
    assert errors[1][0] < 0.05 * errors[0][0]
    assert (errors[1][1:] < 1.5 * errors[0][1:]).all()
    one = _products(x[1:], INT8_ACTIVATIONS, rows)[0, seen]
    np.testing.assert_allclose(parted[1], one, atol=1e-5)


def _saturated(codes: np.ndarray, activations: np.ndarray) -> np.ndarray:
    """Sums of a CPU without VNNI: two products of 8 bits are added and held in 16, then widened."""
    products = codes.astype(np.int64) * activations.astype(np.int64)
    pairs = np.clip(products.reshape(*products.shape[:-1], -1, 2).sum(-1), -(2**15), 2**15 - 1)
    return pairs.sum(-1)


def test_saturation_changes_nothing():
    codes = encode(_weight(), torch.eye(COLUMNS)).codes
    for signed in (
        codes.astype(np.int64) - ZERO,
        codes.astype(np.int64),
    ):  # kernels subtract 8 before or after
        for row in (np.full(COLUMNS, 127), np.full(COLUMNS, -127), np.resize([127, -127], COLUMNS)):
            assert (_saturated(signed, row) == signed @ row).all()
    assert 2 * 127 * max(HIGHEST + ZERO, -LOWEST) < 2**15  # whatever the codes are


def test_the_emulation_does_saturate():
    assert (_saturated(np.full((1, 2), 127), np.full(2, 255)) != 2 * 127 * 255).all()


def test_packs_the_first_code_low():
    blocked = Blocked(np.arange(BLOCK, dtype=np.uint8)[None] % 16, np.ones((1, 1), np.float32))
    assert blocked.packed()[0, 0, :2].tolist() == [0x10, 0x32]
