from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from acl_iqa.acl_iqa_world import SMALLEST, TINY, inputs, random_net
from assay_training.acl_iqa.config import AclConfig
from assay_training.acl_iqa.model import AclIqa, score_of, view_average
from assay_training.acl_iqa.score_graph import ScoreGraph
from assay_training.acl_iqa.text_graphs import GradesGraph, InstructionGraph
from assay_training.clip.model import Clip, normalised, unit
from assay_training.data import DataError


def test_sizes_are_the_published_ones():
    with torch.device("meta"):
        counts = {
            v: sum(p.numel() for p in AclIqa(AclConfig(variant=v)).parameters()) for v in ("acl", "conv-moe")
        }
    assert {name: round(count / 1e6, 1) for name, count in counts.items()} == {
        "acl": 192.4,
        "conv-moe": 163.6,
    }


def test_views_are_averaged_as_code_or_paper_say():
    logits = torch.tensor([[[0.0, 2, 0, 0, 1], [4.0, 0, 0, 0, 1], [1.0, 1, 1, 1, 3]]])
    first, second, whole = logits[0]
    expected = (((first + second) / 2).softmax(-1) + whole.softmax(-1)) / 2
    torch.testing.assert_close(view_average(logits, "logits")[0], expected)
    expected = (first.softmax(-1) + second.softmax(-1) + whole.softmax(-1)) / 3
    torch.testing.assert_close(view_average(logits, "probabilities")[0], expected)


def test_scores_run_from_zero_to_five():
    assert score_of(torch.eye(5)).tolist() == [0, 1.25, 2.5, 3.75, 5]


def test_untrained_weighted_net_is_clip(tmp_path):
    """With experts at zero and a weighted sum nothing is left but CLIP, on both paths."""
    from assay_training.acl_iqa.checkpoint import from_clip

    torch.manual_seed(0)
    clip = Clip(TINY.clip).eval()
    torch.save(clip.state_dict(), tmp_path / "clip.pt")
    net = from_clip(tmp_path / "clip.pt", replace(TINY, combine="weighted-sum")).eval()
    given = inputs(TINY, 2, 3)
    with torch.no_grad():
        images = normalised(torch.cat([given["windows"].float(), given["whole"][:, None]], 1))
        texts = unit(clip.encode_text(given["grades"].flatten(0, 1))).unflatten(0, (2, 5))
        vectors = unit(clip.encode_image(images.flatten(0, 1))).unflatten(0, (2, 4))
        expected = view_average(100 * vectors @ texts.transpose(1, 2), "logits")
        torch.testing.assert_close(net(**given), expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("path", ["_col", "_adv"])
def test_block_with_experts_takes_the_written_steps(tmp_path, path):
    block = random_net(tmp_path).encoder.vision_resblocks[1]
    torch.manual_seed(0)
    x, text, weights = torch.randn(3, 10, 16), torch.randn(3, 24, 12), block.state_dict()

    def linear(x, name):
        return F.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])

    def norm(x, name):
        return F.layer_norm(x, (16,), weights[f"{name}.weight"], weights[f"{name}.bias"], 1e-5)

    with torch.no_grad():
        q, k, v = (linear(y, f"cross_attn.{n}_proj") for n, y in (("q", x), ("k", text), ("v", text)))
        read = [
            (q[..., head] @ k[..., head].transpose(1, 2) / 8**0.5).softmax(-1) @ v[..., head]
            for head in (slice(0, 8), slice(8, 16))
        ]
        gate = linear(torch.cat(read, -1), "cross_attn.out_proj").mean(1)
        attention = nn.MultiheadAttention(16, 2, batch_first=True)
        attention.load_state_dict(block.attn.state_dict())
        h = norm(x, "ln_1")
        x1 = x + attention(h, h, h)[0]
        h = norm(x1, "ln_2")
        y = linear(h, f"mlp{path}.c_fc")
        y = linear(y * torch.sigmoid(1.702 * y), f"mlp{path}.c_proj")
        expected = x1 + block.adapter_MoE(h, gate, path)[0] + y
        torch.testing.assert_close(block(x, text, path)[0], expected, rtol=1e-4, atol=1e-5)


def test_vision_blocks_read_the_text_one_block_behind(tmp_path):
    net, given, fed = random_net(tmp_path), inputs(TINY, 1, 1), []
    for index in (1, 3):
        block = net.encoder.vision_resblocks[index]
        block.register_forward_pre_hook(lambda _, args: fed.append(args[1]))
    ids = given["instructions"][:, 0]
    with torch.no_grad():
        states = net.text_states(ids)
        net.encode_image(normalised(given["windows"]), ids, "_col")
    torch.testing.assert_close(fed, [states[0], states[2]])


@pytest.mark.parametrize("config", [TINY, SMALLEST], ids=["two paths", "one path"])
@pytest.mark.parametrize("combine", ["logsumexp", "gated-logsumexp", "weighted-sum"])
@pytest.mark.parametrize("average", ["logits", "probabilities"])
def test_fused_net_equals_the_plain_one(tmp_path, config, combine, average):
    net = random_net(tmp_path, replace(config, combine=combine, average=average))
    given = inputs(config, 3, 2)
    with torch.no_grad():
        expected = net(**given)
        gates, grades = InstructionGraph(net)(given["instructions"]), GradesGraph(net)(given["grades"])
        found = ScoreGraph(net)(given["windows"], given["whole"], *gates, grades)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=2e-5)
    torch.testing.assert_close(expected.sum(-1), torch.ones(3))
    assert expected.std(0).max() > 0.01  # images differ


def test_everything_that_is_fed_matters(tmp_path):
    net, given = random_net(tmp_path), inputs(TINY, 1, 2)
    with torch.no_grad():
        before = net(**given)
        for name, value in given.items():
            changed = value.flip(1) if name in ("windows", "grades") else value.roll(1, -1)
            if name == "windows":
                changed = 255 - value
            assert (net(**given | {name: changed}) - before).abs().max() > 1e-3, name


def test_unknown_settings_are_named():
    with pytest.raises(DataError, match=r"combine: expected one of logsumexp, .*found 'sum'"):
        AclConfig(combine="sum")
    with pytest.raises(DataError, match="authenticity is only known with the variant conv-moe"):
        _ = AclConfig(task="authenticity").instructions
    assert AclConfig(task="authenticity", variant="conv-moe").instructions == ("{prompt}",)
