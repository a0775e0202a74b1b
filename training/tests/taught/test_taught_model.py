import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from assay_training.data import DataError
from assay_training.lite.model import SameConv
from assay_training.taught.model import (
    EARLY_CHANNELS,
    EARLY_STATS,
    POOLED,
    SIDE,
    STATS,
    Backbone,
    block_shapes,
    to_input,
)


def test_blocks_are_those_of_lite2(net):
    stages = [
        (channels, len(list(group))) for channels, group in itertools.groupby(s[1] for s in block_shapes())
    ]
    assert stages == [(16, 1), (24, 3), (48, 3), (88, 4), (120, 4), (208, 5), (352, 1)]
    assert POOLED == [0, 3, 6, 10, 14, 19, 20]
    assert sum(value.numel() for value in net.parameters()) == 4_782_024


def test_halves_make_up_the_whole(net):
    images = torch.randn(1, 3, SIDE, SIDE)
    with torch.inference_mode():
        early, stats = net.early(images)
        whole, cropped = net.late(early), net.late(early[:, :, 3:19, 5:21])
        together = net(images)
    assert (early.shape, stats.shape) == ((1, EARLY_CHANNELS, 40, 40), (1, EARLY_STATS))
    assert together.shape == (1, STATS)
    assert cropped.shape == whole.shape
    torch.testing.assert_close(together, torch.cat([stats, whole], 1))


def test_input_is_centred_and_channels_come_second():
    pixels = np.zeros((1, 4, 6, 3), np.uint8)
    pixels[0, 1, 2] = (255, 51, 0)
    found = to_input(pixels)
    assert found.shape == (1, 3, 4, 6)
    assert found[0, :, 1, 2].tolist() == pytest.approx([1, -0.6, -1], abs=1e-6)


def imagenet_state(net: Backbone) -> dict[str, torch.Tensor]:
    """Weights under the names of the published state dict; batch norms that are far from neutral."""
    torch.manual_seed(1)
    state: dict[str, torch.Tensor] = {"_fc.weight": torch.zeros(10, 1280)}

    def add(conv: SameConv, key: str, norm: str) -> None:
        state[f"{key}.weight"] = torch.randn_like(conv.weight)
        for name in ("weight", "bias", "running_mean"):
            state[f"{norm}.{name}"] = torch.randn_like(conv.bias)
        state[f"{norm}.running_var"] = torch.rand_like(conv.bias) + 0.01

    with torch.no_grad():
        add(net.stem, "_conv_stem", "_bn0")
        add(net.head, "_conv_head", "_bn1")
        for index, block in enumerate(net.blocks):
            key = f"_blocks.{index}"
            if block.expand is not None:
                add(block.expand, f"{key}._expand_conv", f"{key}._bn0")
            add(block.depthwise, f"{key}._depthwise_conv", f"{key}._bn1")
            add(block.project, f"{key}._project_conv", f"{key}._bn2")
    return state


@pytest.fixture(scope="module")
def state(net) -> dict[str, torch.Tensor]:
    return imagenet_state(net)


def test_imagenet_weights_are_folded_with_their_norms(state, tmp_path):
    torch.save(state, tmp_path / "weights.pth")
    net = Backbone()
    net.load_imagenet(tmp_path / "weights.pth")
    for conv, key, norm in (
        (net.stem, "_conv_stem", "_bn0"),
        (net.head, "_conv_head", "_bn1"),
        (net.blocks[0].project, "_blocks.0._project_conv", "_blocks.0._bn2"),
        (net.blocks[4].expand, "_blocks.4._expand_conv", "_blocks.4._bn0"),
        (net.blocks[20].depthwise, "_blocks.20._depthwise_conv", "_blocks.20._bn1"),
    ):
        x = torch.randn(1, conv.weight.shape[1] * conv.groups, 9, 9)
        bare = SameConv(
            x.shape[1], len(conv.weight), conv.kernel_size, conv.stride, groups=conv.groups, bias=False
        )
        bare.weight = nn.Parameter(state[f"{key}.weight"])
        mean, variance, weight, bias = (
            state[f"{norm}.{name}"] for name in ("running_mean", "running_var", "weight", "bias")
        )
        expected = F.batch_norm(bare(x), mean, variance, weight, bias, eps=1e-3)
        torch.testing.assert_close(conv(x), expected, rtol=1e-3, atol=1e-3)


def refusal(path: Path, stored: object) -> str:
    """What loading says of a file with `stored` in it."""
    torch.save(stored, path)
    with pytest.raises(DataError) as caught:
        Backbone().load_imagenet(path)
    return str(caught.value)


def test_truncated_weights_are_named(state, tmp_path):
    path = tmp_path / "weights.pth"
    torch.save(state, path)
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(DataError, match=r"weights\.pth: cannot be read as weights: "):
        Backbone().load_imagenet(path)


def test_foreign_weights_are_named_with_what_was_found(state, tmp_path):
    path = tmp_path / "weights.pth"
    assert refusal(path, [1, 2]) == f"{path}: expected a state dict of EfficientNet-Lite2, found a list"
    expected = f"{path}: _conv_stem.weight: expected shape (32, 3, 3, 3), found only features.0.weight ..."
    assert refusal(path, {"features.0.weight": torch.zeros(1)}) == expected


def test_weights_of_another_variant_are_named_by_key(state, tmp_path):
    path = tmp_path / "weights.pth"
    key = "_conv_head.weight"
    expected = f"{path}: {key}: expected shape (1280, 352, 1, 1), found (1280, 320, 1, 1)"
    assert refusal(path, state | {key: torch.zeros(1280, 320, 1, 1)}) == expected
    shallow = {name: value for name, value in state.items() if not name.startswith("_blocks.20.")}
    assert f"{path}: _blocks.20._expand_conv.weight: expected shape (1248, 208, 1, 1), found only" in refusal(
        path, shallow
    )
