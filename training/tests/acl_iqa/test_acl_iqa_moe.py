import math
from dataclasses import replace

import pytest
import torch

from acl_iqa.acl_iqa_world import TINY, random_net
from assay_training.acl_iqa.config import COMBINES
from assay_training.acl_iqa.moe import Mixture, variation
from assay_training.acl_iqa.score_graph import FusedMixture, gate_logits
from assay_training.acl_iqa.text_graphs import fold_gate
from assay_training.clip.model import split_heads


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    return random_net(tmp_path_factory.mktemp("moe"))


def sparse(mixture: Mixture, x, gate, path: str):
    """Only the chosen experts of each image are run, one at a time."""
    result = torch.zeros_like(x)
    for image in range(len(x)):
        logits = (gate[image] @ getattr(mixture, f"w_gate{path}")).tolist()
        order = sorted(range(6), key=lambda e: -logits[e])[:3]
        total = sum(math.exp(logits[e]) for e in order)
        for e in order:
            share = math.exp(logits[e]) / total
            output = mixture.adapter_experts[e](x[image : image + 1])[0]
            if mixture.combine == "weighted-sum":
                result[image] += share * output
            else:
                result[image] += (share if mixture.combine == "gated-logsumexp" else 1) * output.exp()
    return result if mixture.combine == "weighted-sum" else result.log()


@pytest.mark.parametrize("combine", COMBINES)
@pytest.mark.parametrize("path", ["_col", "_adv"])
def test_dense_and_fused_mixture_equal_the_sparse_one(net, combine, path):
    mixture = net.encoder.vision_resblocks[3].adapter_MoE
    mixture.combine = combine
    torch.manual_seed(0)
    x, gate = torch.randn(8, 10, 16), torch.randn(8, 16)
    with torch.no_grad():
        expected = sparse(mixture, x, gate, path)
        found, loss = mixture(x, gate, path)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
        logits = gate @ getattr(mixture, f"w_gate{path}")
        fused = FusedMixture(mixture)
        torch.testing.assert_close(
            fused(x.flatten(0, 1), logits, 10), expected.flatten(0, 1), rtol=1e-4, atol=1e-5
        )
        torch.testing.assert_close(fused(x[:, 0], logits, 1), expected[:, 0], rtol=1e-4, atol=1e-5)
    assert loss == 0
    assert len({tuple(row.topk(3).indices.sort().values.tolist()) for row in logits}) > 1


@pytest.mark.parametrize("combine", COMBINES)
def test_experts_whose_gate_value_is_zero_have_no_part(net, combine):
    mixture = net.encoder.vision_resblocks[3].adapter_MoE
    mixture.combine = combine
    torch.manual_seed(0)
    x, gate = torch.randn(16, 10, 16), torch.randn(16, 16)
    gate *= 90 / (gate @ mixture.w_gate_col).std()
    logits = gate @ mixture.w_gate_col
    shares = logits.topk(3).values.softmax(-1)
    assert len({int(count) for count in (shares > 0).sum(1)}) > 1  # some have all three, others fewer
    with torch.no_grad():
        weights = torch.zeros(16, 6).scatter(-1, logits.topk(3).indices, shares)
        experts = torch.stack([expert(x) for expert in mixture.adapter_experts], 1).double()
        if combine == "weighted-sum":
            expected = (experts * weights[..., None, None]).sum(1)
        else:
            parts = (weights if combine == "gated-logsumexp" else (weights > 0).double())[..., None, None]
            expected = (experts.exp() * parts).sum(1).log()
        plain = mixture(x, gate, "_col")[0]
        fused = FusedMixture(mixture)(x.flatten(0, 1), logits, 10).unflatten(0, (16, 10))
    for found in (plain, fused):
        torch.testing.assert_close(found.double(), expected.double(), rtol=1e-4, atol=1e-4)


def test_untrained_mixture_is_the_log_of_three():
    mixture = Mixture(TINY).eval()
    found, _ = mixture(torch.randn(2, 10, 16), torch.randn(2, 16), "_col")
    torch.testing.assert_close(found, torch.full_like(found, math.log(3)))
    weighted = Mixture(replace(TINY, combine="weighted-sum")).eval()
    assert not weighted(torch.randn(2, 10, 16), torch.randn(2, 16), "_col")[0].any()


def test_outputs_that_would_overflow_stay_finite(net):
    mixture = net.encoder.vision_resblocks[1].adapter_MoE
    mixture.combine = "logsumexp"
    x = torch.randn(2, 10, 16) * 1000
    with torch.no_grad():
        assert mixture(x, torch.randn(2, 16), "_col")[0].isfinite().all()
        assert FusedMixture(mixture)(x.flatten(0, 1), torch.randn(2, 6), 10).isfinite().all()


@pytest.mark.parametrize("path", ["_col", "_adv"])
def test_folded_gates_equal_the_attention_itself(net, path):
    block = net.encoder.vision_resblocks[3]
    cross, gate = block.cross_attn, getattr(block.adapter_MoE, f"w_gate{path}")
    torch.manual_seed(1)
    images, views, tokens = 2, 3, 10
    x, text = torch.randn(images * views, tokens, 16), torch.randn(images, 24, 12)
    with torch.no_grad():
        expected = cross(x, text.repeat_interleave(views, 0)).mean(1) @ gate
        matrix, bias = fold_gate(cross, gate)
        keys = split_heads(cross.k_proj(text), 2).transpose(-1, -2) * 8**-0.5
        values = (text @ matrix + bias).unflatten(-1, (2, 6)).transpose(1, 2)
        queries = split_heads(cross.q_proj(x).view(images, views * tokens, 16), 2)
        torch.testing.assert_close(gate_logits(queries, keys, values, views), expected, rtol=1e-4, atol=1e-5)


def test_gates_attend_to_the_padding_too(net):
    cross = net.encoder.vision_resblocks[1].cross_attn
    x, text = torch.randn(1, 10, 16), torch.randn(1, 24, 12)
    with torch.no_grad():
        found = cross(x, text)
        text[:, -1] += 1
        assert (cross(x, text) - found).abs().max() > 1e-3


def test_training_gates_are_noisy_and_uneven_use_costs():
    torch.manual_seed(0)
    mixture = Mixture(TINY).train()
    x, gate = torch.randn(32, 10, 16), torch.randn(32, 16).abs()
    _, even = mixture(x, gate, "_col")
    mixture.w_gate_col.data[:, :3] += 5
    _, uneven = mixture(x, gate, "_col")
    assert 0 < even < 0.5 < uneven
    uneven.backward()
    assert mixture.w_gate_col.grad.abs().max() > 0
    # half of the experts share everything: importance varies by variance over squared mean, twice
    assert variation(torch.tensor([2.0, 2, 2, 0, 0, 0])) == pytest.approx(1.2)
    assert uneven.item() == pytest.approx(2.4, abs=0.1)
