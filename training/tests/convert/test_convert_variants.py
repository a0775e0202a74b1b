from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from assay_training.onnx_export import export
from assay_training.scorer import open_session
from assay_training.variants import eight_bits, half


class Twice(nn.Module):
    """One matrix in two products, of vectors and of rows; a sum of exponentials beyond float16."""

    def __init__(self) -> None:
        super().__init__()
        self.shared, self.last = nn.Linear(128, 128), nn.Linear(128, 3)

    def forward(self, vector: Tensor, rows: Tensor) -> Tensor:
        both = torch.tanh(self.shared(vector))[:, None] + torch.tanh(self.shared(rows))
        return torch.log(torch.exp(self.last(both) + 12).sum(1))


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("variants") / "fp32.onnx"
    export(Twice(), {"vector": torch.rand(1, 128), "rows": torch.rand(1, 5, 128)}, ["y"], path)
    return path


@pytest.mark.parametrize(("make", "tolerance"), [(half, 5e-3), (eight_bits, 2e-2)])
def test_smaller_graphs_compute_the_same_in_every_batch(source, tmp_path, make, tolerance):
    rng = np.random.default_rng(0)
    feeds = {"vector": rng.normal(0, 1, (3, 128)), "rows": rng.normal(0, 1, (3, 5, 128))}
    feeds = {name: values.astype(np.float32) for name, values in feeds.items()}
    (wanted,) = open_session(source).run(None, feeds)
    make(source, tmp_path / "smaller.onnx")
    session = open_session(tmp_path / "smaller.onnx", layouts=make is not half)
    (found,) = session.run(None, feeds)
    assert 0 < np.abs(found - wanted).max() < tolerance
    for row in range(3):
        (alone,) = session.run(None, {name: values[row : row + 1] for name, values in feeds.items()})
        np.testing.assert_allclose(alone[0], found[row], atol=1e-4)


def test_a_shared_matrix_is_stored_once_in_8_bits_and_small_ones_are_kept(source, tmp_path):
    eight_bits(source, tmp_path / "int8.onnx")
    graph = onnx.load(tmp_path / "int8.onnx").graph
    products = [node for node in graph.node if node.op_type == "MatMulNBits"]
    assert len(products) == 2
    assert {value.i for node in products for value in node.attribute if value.name == "block_size"} == {32}
    bytes_of = [
        tuple(tensor.dims) for tensor in graph.initializer if tensor.data_type == onnx.TensorProto.UINT8
    ]
    assert bytes_of == [(128, 4, 32)]
    assert [node.op_type for node in graph.node].count("MatMul") == 1
