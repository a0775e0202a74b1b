"""The parts of the branch against what they are defined as, token by token."""

import pytest
import torch

from assay_training.maniqa.branch import Branch, ChannelAttention
from assay_training.maniqa.config import BranchConfig
from assay_training.maniqa.parity import TINY
from assay_training.maniqa.windows import Block


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("shift", [0, 2])
@torch.no_grad()
def test_a_token_attends_to_its_window_and_to_no_opposite_edge(shift):
    width, heads, side, window = 12, 3, TINY.places, TINY.window
    block = Block(TINY, width, heads, shift)
    block.attn.relative_position_bias_table.normal_()
    x = torch.randn(1, side * side, width)
    normed = block.norm1(x)[0]
    query, key, value = block.attn.qkv(normed).reshape(side * side, 3, heads, width // heads).unbind(1)
    attended = torch.zeros(side * side, width)
    for here in range(side * side):
        y, x_ = divmod(here, side)
        # the same window of the rolled image, and on the same side of what rolling joined
        own = lambda place: ((place - shift) % side // window, place < shift)  # noqa: E731
        around = [
            there
            for there in range(side * side)
            if own(there // side) == own(y) and own(there % side) == own(x_)
        ]
        apart = [
            ((y - there // side) + window - 1) * (2 * window - 1) + (x_ - there % side) + window - 1
            for there in around
        ]
        bias = block.attn.relative_position_bias_table[torch.tensor(apart)]
        scores = (query[here] * key[around]).sum(-1) / (width // heads) ** 0.5 + bias
        attended[here] = (scores.softmax(0)[..., None] * value[around]).sum(0).flatten()
    wanted = x[0] + block.attn.proj(attended)
    wanted = wanted + block.mlp(block.norm2(wanted))
    torch.testing.assert_close(block(x)[0], wanted, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_channels_attend_to_one_another_and_are_scrambled_as_the_authors_do():
    block, x = ChannelAttention(9), torch.randn(2, 5, 9)
    found = block(x)
    for number in range(2):
        query, key, value = (layer(x[number]) for layer in (block.c_q, block.c_k, block.c_v))
        mixed = (query @ key.T / 3).softmax(1) @ value  # [channels, patches]
        flat = [mixed[channel, patch] for patch in range(9) for channel in range(5)]
        wanted = torch.stack(flat).reshape(5, 9) + x[number]
        torch.testing.assert_close(found[number], wanted)


@torch.no_grad()
def test_tokens_are_those_of_four_blocks_without_the_class():
    vit = Branch(TINY, 0.8).vit
    seen = []
    for block in vit.blocks:
        block.register_forward_hook(lambda *call: seen.append(call[2]))
    found = vit(torch.randn(2, 3, 32, 32))
    assert len(seen) == 10
    torch.testing.assert_close(found, torch.cat([seen[number][:, 1:] for number in (6, 7, 8, 9)], 2))


@torch.no_grad()
def test_what_a_layer_of_windows_adds_counts_by_the_scale():
    full, small = Branch(TINY, 0.8).swintransformer1, Branch(TINY, 0.13).swintransformer1
    small.load_state_dict(full.state_dict())
    x = torch.randn(1, TINY.patches, TINY.vision.width)
    first = full.layers[0](x)
    torch.testing.assert_close(small.layers[0](x), first)
    wanted = 0.13 * first + x
    torch.testing.assert_close(small(x), 0.13 * full.layers[1](wanted) + wanted)


def test_published_sizes():
    config = BranchConfig()
    assert (config.places, config.patches, config.vision.tokens) == (28, 784, 785)
    with torch.device("meta"):
        count = sum(value.numel() for value in Branch(config, 0.8).parameters())
    blocks, head, downsample = 14_175_744, 770_536, 6_636_672  # of the authors' net, without effect
    assert count == 135_747_530 - blocks - head - downsample
