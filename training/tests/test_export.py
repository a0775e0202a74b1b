import numpy as np
import onnx
import pytest
import torch

from assay_training.lite.cache import to_input
from assay_training.lite.export import FLOAT_CONVOLUTIONS, export, read_back
from assay_training.lite.export import int8 as int8_graph
from assay_training.scorer import open_session

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 320, 320, 3), np.uint8)


@pytest.fixture(scope="module")
def graph(net, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "net.onnx"
    export(net, path)
    return path


def torch_quality(net) -> np.ndarray:
    with torch.inference_mode():
        means, spreads = net(to_input(PIXELS))
    return torch.stack([means[:, 0], spreads[:, 0]], 1).numpy()


def test_graph_takes_uint8_nhwc_and_only_the_batch_is_dynamic(graph):
    model = onnx.load(graph)
    (image,), (quality,) = model.graph.input, model.graph.output
    dims = [d.dim_param or d.dim_value for d in image.type.tensor_type.shape.dim]
    assert (image.name, image.type.tensor_type.elem_type, dims) == ("image", 2, ["n", 320, 320, 3])
    dims = [d.dim_param or d.dim_value for d in quality.type.tensor_type.shape.dim]
    assert (quality.name, quality.type.tensor_type.elem_type, dims) == ("quality", 1, ["n", 2])


def test_graph_equals_torch(net, graph):
    found = open_session(graph).run(None, {"image": PIXELS})[0]
    np.testing.assert_allclose(found, torch_quality(net), rtol=2e-5, atol=2e-5)


def test_weights_read_back_give_the_same_net(net, graph):
    np.testing.assert_allclose(torch_quality(read_back(graph)), torch_quality(net), rtol=2e-5, atol=2e-5)


def test_int8_is_smaller_close_and_within_seven_bits(graph, tmp_path):
    target = tmp_path / "int8.onnx"
    int8_graph(graph, target, [image[None] for image in PIXELS])
    assert target.stat().st_size < 0.4 * graph.stat().st_size
    fp32, int8 = (open_session(path).run(None, {"image": PIXELS})[0] for path in (graph, target))
    assert np.abs(int8 - fp32).max() < 0.2 * np.abs(fp32).max()
    assert int8.mean(0)[0] == pytest.approx(fp32.mean(0)[0], abs=1e-3)
    weights = [onnx.numpy_helper.to_array(value) for value in onnx.load(target).graph.initializer]
    kernels = [value.astype(int) for value in weights if value.dtype == np.int8 and value.ndim == 4]
    assert len(kernels) == 49 - len(FLOAT_CONVOLUTIONS)
    matrices = [value for value in kernels if value.shape[2:] == (1, 1)]
    assert max(np.abs(value).max() for value in matrices) <= 64
    assert max(np.abs(value).max() for value in kernels) == 127
