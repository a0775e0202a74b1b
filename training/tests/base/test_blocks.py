"""Four-bit matrices: error feedback pays, and no sum of their products can leave 16 bits on any CPU."""

from __future__ import annotations

import numpy as np
import onnxruntime
import torch

from assay_training.base.blocks import BLOCK, HIGHEST, LOWEST, ZERO, Blocked, encode
from assay_training.base.nodes import nbits_product
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
