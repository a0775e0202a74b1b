import pytest
import torch
import torch.nn.functional as F

from assay_training.acl_iqa.experts import KINDS, DifferenceConv, Expert

# the number at (row, column) of each kernel, written out; w are the stored numbers of one pair of channels
WRITTEN = {
    "plain": lambda w: [[w[0], w[1], w[2]], [w[3], w[4], w[5]], [w[6], w[7], w[8]]],
    "central": lambda w: [
        [w[0], w[1], w[2]],
        [w[3], w[4] - (w[0] + w[1] + w[2] + w[3] + w[5] + w[6] + w[7] + w[8]), w[5]],
        [w[6], w[7], w[8]],
    ],
    "angular": lambda w: [
        [w[0] - w[3], w[1] - w[0], w[2] - w[1]],
        [w[3] - w[6], w[4], w[5] - w[2]],
        [w[6] - w[7], w[7] - w[8], w[8] - w[5]],
    ],
    "radial": lambda w: [
        [w[1], 0, w[2], 0, w[3]],
        [0, -w[1], -w[2], -w[3], 0],
        [w[4], -w[4], w[0], -w[5], w[5]],
        [0, -w[6], -w[7], -w[8], 0],
        [w[6], 0, w[7], 0, w[8]],
    ],
    "horizontal": lambda w: [[w[0], 0, -w[0]], [w[1], 0, -w[1]], [w[2], 0, -w[2]]],
    "vertical": lambda w: [[w[0], w[1], w[2]], [0, 0, 0], [-w[0], -w[1], -w[2]]],
}


@pytest.mark.parametrize("kind", KINDS)
def test_kernels_are_the_written_ones(kind):
    torch.manual_seed(0)
    conv = DifferenceConv(kind, 2)
    conv.bias.data.normal_()
    x = torch.randn(3, 2, 7, 7)
    expected = conv.bias.detach()[None, :, None, None].expand(3, 2, 7, 7).clone()
    for out in range(2):
        for channel in range(2):
            kernel = torch.tensor(WRITTEN[kind](conv.weight[out, channel].flatten().tolist()))
            padding = len(kernel) // 2
            expected[:, out] += F.conv2d(x[:, channel : channel + 1], kernel[None, None], padding=padding)[
                :, 0
            ]
    torch.testing.assert_close(conv(x).detach(), expected, rtol=1e-5, atol=1e-5)
    shape = (2, 2, 3) if kind in ("horizontal", "vertical") else (2, 2, 3, 3)
    assert tuple(conv.weight.shape) == shape


@pytest.mark.parametrize("kind", KINDS)
def test_class_token_passes_the_convolution_alone(kind):
    torch.manual_seed(0)
    expert = Expert(kind, 6, 4)
    torch.nn.init.normal_(expert.adapter_up.weight)
    expert.adapter_conv.bias.data.normal_()
    x = torch.randn(2, 10, 6)
    with torch.no_grad():
        found, weight = expert(x), expert.adapter_conv.weight
        if kind in ("horizontal", "vertical"):
            centre = torch.zeros(4, 4)
        elif kind == "radial":
            centre = weight[..., 0, 0]
        elif kind == "central":
            centre = 2 * weight[..., 1, 1] - weight.sum((2, 3))
        else:
            centre = weight[..., 1, 1]
        inner = expert.adapter_down(x[:, 0]) @ centre.T + expert.adapter_conv.bias
        torch.testing.assert_close(found[:, 0], expert.adapter_up(inner))
        moved = x.clone()
        moved[:, 1:] += 1
        torch.testing.assert_close(expert(moved)[:, 0], found[:, 0])


def test_experts_start_without_effect():
    assert not Expert("plain", 6, 4)(torch.randn(1, 10, 6)).any()
