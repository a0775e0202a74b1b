import torch
import torch.nn.functional as F

from assay_training.clip.tokenizer import open_tokenizer
from assay_training.diff_agiqa.blocks import Resnet
from assay_training.diff_agiqa.card import card
from assay_training.diff_agiqa.checkpoint import load_head, load_text, load_unet
from assay_training.diff_agiqa.config import TINY
from assay_training.diff_agiqa.export import ScoreGraph
from assay_training.diff_agiqa.flat_head import FlatHead
from assay_training.diff_agiqa.latents import fixed_noises, shares
from assay_training.diff_agiqa.package import manifest_of
from assay_training.diff_agiqa.plain import chunks
from assay_training.diff_agiqa.spread import Spread
from assay_training.diff_agiqa.unet import wave
from assay_training.scorer import tokens

LONG = "a " * 70 + "cat"


@torch.no_grad()
def test_the_time_is_in_the_bias():
    torch.manual_seed(0)
    resnet, x, embedding = Resnet(8, 16, 4, 1e-5, 12).eval(), torch.randn(2, 8, 6, 6), torch.randn(12)
    h = resnet.conv1(F.silu(resnet.norm1(x))) + resnet.time_emb_proj(F.silu(embedding))[:, None, None]
    wanted = resnet.conv_shortcut(x) + resnet.conv2(F.silu(resnet.norm2(h)))
    resnet.fold_time(embedding)
    torch.testing.assert_close(resnet(x), wanted, atol=1e-4, rtol=0)


def test_constants_of_stable_diffusion():
    kept, noise = shares()
    assert abs(kept**2 + noise**2 - 1) < 1e-9
    assert abs(kept**2 - 0.950524) < 1e-6  # alphas_cumprod[51] of diffusers' PNDMScheduler
    some = wave(51, 320)[[0, 159, 160, 319]]
    torch.testing.assert_close(some, torch.tensor([0.7422, 1.0, 0.6702, 0.0054]), atol=1e-4, rtol=0)


def test_the_noise_is_the_same_for_all_time():
    first, second = fixed_noises(2, TINY)
    torch.testing.assert_close(
        first.flatten()[:3], torch.tensor([0.4717, -0.9320, 0.0229]), atol=1e-4, rtol=0
    )
    torch.testing.assert_close(fixed_noises(1, TINY, first=1)[0], second)
    both = torch.stack([first, second]).flatten(1)
    assert abs(float(both.mean())) < 0.05
    assert abs(float(both.std()) - 1) < 0.05
    assert abs(float(torch.corrcoef(both)[0, 1])) < 0.1


@torch.no_grad()
def test_five_activations_that_depend_on_the_prompt_and_not_on_what_is_hidden(sources):
    unet, latents = load_unet(sources, TINY), torch.randn(1, 4, 16, 16)
    context = torch.randn(1, 12, TINY.text.text_width)
    taps = unet(latents, context, None)
    assert [tuple(tap.shape[1:]) for tap in taps] == [(4, 128), (16, 128), (16, 128), (16, 128), (64, 96)]
    longer = torch.cat([context, torch.randn(1, 12, TINY.text.text_width)], 1)
    hidden = torch.where(torch.arange(24) < 12, 0.0, -1e4)[None, None, None]
    for tap, same, other in zip(
        taps, unet(latents, longer, hidden), unet(latents, longer, None), strict=True
    ):
        torch.testing.assert_close(tap, same, atol=1e-4, rtol=0)
        assert float((tap - other).abs().max()) > 1e-3


@torch.no_grad()
def test_prompts_are_read_whole_or_in_chunks(sources):
    tower, text = load_text(sources, TINY), manifest_of(TINY)["text"] | {"mending": True}
    tokenizer = open_tokenizer(sources.tokenizer_folder / "tokenizer.json")
    for prompt, count in (("a cat", 1), (LONG, 4), ("a " * 69 + "cat", 1), ("x" * 40, 1)):
        read = tokens([prompt], tokenizer, text)
        ids, mask = (torch.from_numpy(read[name])[None] for name in ("ids", "mask"))
        context, hidden = tower(ids, mask)
        parts = chunks(tokenizer, prompt, TINY)
        assert len(parts) == count
        wanted = torch.cat([tower.states(part[None]) for part in parts], 1)
        shown = hidden[0, 0] == 0
        assert int(shown.sum()) == sum(map(len, parts))
        torch.testing.assert_close(context[:, shown], wanted, atol=1e-4, rtol=0)


@torch.no_grad()
def test_several_noises_give_the_mean_of_their_scores(sources):
    graph = ScoreGraph(load_unet(sources, TINY), FlatHead(load_head(sources.head, TINY), TINY))
    latents, context = torch.randn(2, 3, 4, 16, 16), torch.randn(2, 12, TINY.text.text_width)
    hidden = torch.zeros(2, 1, 12)
    single = [graph(latents[:, place : place + 1], context, hidden) for place in range(3)]
    torch.testing.assert_close(graph(latents, context, hidden), sum(single) / 3, atol=2e-5, rtol=0)
    assert float((single[0] - single[1]).abs().max()) > 1e-4


def test_the_card_says_what_was_measured():
    text = card(TINY, 4, [Spread("scene", 2.5, 0.123, 2.3, 2.7)])
    assert "| scene | 2.500 | 0.123 | 2.300 | 2.700 |" in text
    assert "The mean over 4 differs less" in text
    assert "One fixed noise" in card(TINY, 1, [])
