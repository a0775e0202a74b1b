import numpy as np
import pytest
import torch
from torch import nn

from assay_training.lite.model import SameConv, pooled, same_padding


def naive_same(image: np.ndarray, weight: np.ndarray, stride: int) -> np.ndarray:
    """TensorFlow's definition, output by output: [H, W] with kernel [k, k]."""
    kernel, size = len(weight), len(image)
    count = -(-size // stride)
    before = max((count - 1) * stride + kernel - size, 0) // 2
    out = np.zeros((count, count))
    for y in range(count):
        for x in range(count):
            for i in range(kernel):
                for j in range(kernel):
                    row, column = y * stride + i - before, x * stride + j - before
                    if 0 <= row < size and 0 <= column < size:
                        out[y, x] += image[row, column] * weight[i, j]
    return out


@pytest.mark.parametrize("size", [7, 8, 10])
@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (3, 1), (3, 2), (5, 1), (5, 2)])
def test_same_padding_is_tensorflows(size, kernel, stride):
    rng = np.random.default_rng(size)
    image, weight = rng.normal(size=(size, size)), rng.normal(size=(kernel, kernel))
    conv = SameConv(1, 1, kernel, stride, bias=False)
    conv.weight = nn.Parameter(torch.tensor(weight, dtype=torch.float32)[None, None])
    found = conv(torch.tensor(image, dtype=torch.float32)[None, None])[0, 0].detach().numpy()
    np.testing.assert_allclose(found, naive_same(image, weight, stride), atol=1e-5)


def test_odd_extra_zero_goes_right():
    assert same_padding(320, 3, 2) == (0, 1)
    assert same_padding(80, 5, 2) == (1, 2)


def test_pooled_is_mean_then_deviation():
    x = torch.randn(2, 3, 5, 4)
    found = pooled(x)
    torch.testing.assert_close(found[:, :3], x.mean((2, 3)))
    torch.testing.assert_close(found[:, 3:], x.flatten(2).std(2, unbiased=False), atol=1e-4, rtol=0)


def test_heads_are_two_aspects_each(net):
    with torch.inference_mode():
        means, spreads = net(torch.zeros(1, 3, 320, 320))
    assert means.shape == spreads.shape == (1, 2)
    assert (spreads >= net.FLOOR).all()


def test_net_is_small(net):
    assert sum(value.numel() for value in net.parameters()) < 6e6
