import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from assay_training.diff_agiqa.checkpoint import load_head
from assay_training.diff_agiqa.config import FULL, TINY
from assay_training.diff_agiqa.flat_head import FlatHead, layout
from assay_training.diff_agiqa.head import Head


def random_taps(config, count):
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(count, (config.map_side // repeats) ** 2, channels, generator=generator)
        for channels, repeats in config.taps
    ]


@pytest.mark.parametrize("repeats", [1, 2, 4])
@pytest.mark.parametrize("kernel", [1, 3, 5, 7])
def test_a_convolution_of_repeated_pixels_is_laid_out_of_products_with_single_ones(repeats, kernel):
    small, side = torch.rand(1, 1, 8 // repeats, 8 // repeats), 8
    weight = torch.rand(1, 1, kernel, kernel)
    large = small.repeat_interleave(repeats, 2).repeat_interleave(repeats, 3)
    wanted = F.conv2d(large, weight, padding=kernel // 2)[0, 0]
    rows = layout(side, repeats, kernel).unflatten(1, (kernel, -1))
    found = torch.einsum("qdi,ij,de,tej->qt", rows, small[0, 0], weight[0, 0], rows)
    torch.testing.assert_close(found, wanted)


@torch.no_grad()
def test_the_flat_head_gives_the_published_ones_score(sources):
    taps, head = random_taps(TINY, 3), load_head(sources.head, TINY)
    logit = head.logit(taps)
    taps_alone = [tap[1:2] for tap in taps]
    flat = FlatHead(head, TINY)
    assert logit.std() > 1e-3
    torch.testing.assert_close(torch.logit(flat(taps) / 5), logit, atol=2e-5, rtol=0)
    torch.testing.assert_close(flat(taps_alone), flat(taps)[1:2], atol=1e-5, rtol=0)


@torch.no_grad()
def test_it_takes_less_than_a_third_of_the_products():
    with torch.device("meta"):
        taps = [torch.empty_like(tap, device="meta") for tap in random_taps(FULL, 1)]
        counts = []
        for make in (Head, lambda config: FlatHead(Head(config), config)):
            net = make(FULL).eval()
            with FlopCounterMode(display=False) as counted:
                net(taps)
            counts.append(counted.get_total_flops())
    assert counts[1] < counts[0] / 3


def test_its_keys_and_shapes_are_the_published_ones():
    with torch.device("meta"):
        state = Head(FULL).state_dict()
    shapes = {key: tuple(value.shape) for key, value in state.items()}
    assert shapes["pyramid_extractors.4.branches.3.0.weight"] == (256, 2560, 7, 7)
    assert shapes["pyramid_extractors.0.fusion.0.weight"] == (256, 1024, 1, 1)
    assert shapes["cross_attentions.4.query.weight"] == (32, 256, 1, 1)
    assert shapes["fusion_quality.3.weight"] == (256, 128, 3, 3)  # in four groups
    assert shapes["quality_head.8.weight"] == (1, 128)
    assert shapes["image_prompts.meta_net_2.2.weight"] == (3, 6, 5, 5)
    count = sum(value.numel() for value in state.values())
    assert count == pytest.approx(498.5e6, rel=1e-3)  # 499.9 M with what has no effect
