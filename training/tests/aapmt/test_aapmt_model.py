import pytest
import torch
from torch import nn

from assay_training.aapmt.config import FULL, TINY, Reading
from assay_training.aapmt.export import single
from assay_training.aapmt.model import ImageReward, Reward


def test_feature_is_the_last_state_of_the_first_token(reward, images, texts):
    scaled = images / 255 - torch.tensor([0.48145466, 0.4578275, 0.40821073])
    scaled = scaled / torch.tensor([0.26862954, 0.26130258, 0.27577711])
    tokens = reward.tokens(images)
    wanted = reward.blip.visual_encoder(scaled.permute(0, 3, 1, 2))
    torch.testing.assert_close(tokens, wanted, rtol=1e-4, atol=1e-4)
    states = reward.blip.text_encoder(*texts, tokens)
    assert torch.equal(reward.features(*texts, tokens), torch.stack([x[:, 0] for x in states]))


def test_collapsed_reward_equals_its_layers(reward):
    x = torch.randn(50, TINY.text.width, generator=torch.Generator().manual_seed(5))
    wanted = x
    for index in (0, 2, 4, 6, 7):
        layer = reward.mlp.layers[index]
        wanted = wanted @ layer.weight.T + layer.bias
    found = reward.mlp.collapsed()
    assert isinstance(found, nn.Linear)
    torch.testing.assert_close(found(x), wanted, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(reward.mlp(x), wanted, rtol=1e-5, atol=1e-5)
    assert wanted.std() > 0.1


def test_normalisation_is_in_the_single_layer_only_if_asked_for(reward):
    x = torch.randn(50, TINY.text.width, generator=torch.Generator().manual_seed(6))
    raw = reward.mlp(x)
    torch.testing.assert_close(single(reward.mlp, Reading(("quality",)))(x), raw)
    found = single(reward.mlp, Reading(("alignment",), normalised=True))(x)
    torch.testing.assert_close(found, (raw - 0.16717362830052426) / 1.0333394966054072)


def test_reward_drops_out_in_training_only():
    kinds = [type(layer).__name__ for layer in Reward(FULL).layers]
    assert kinds == ["Linear", "Dropout", "Linear", "Dropout", "Linear", "Dropout", "Linear", "Linear"]
    assert [layer.p for layer in Reward(FULL).layers if isinstance(layer, nn.Dropout)] == [0.2, 0.2, 0.1]


@pytest.mark.parametrize(("metric", "millions"), [(False, 446), (True, 452)])
def test_published_size(metric, millions):
    with torch.device("meta"):
        model = ImageReward(FULL, metric)
    assert sum(value.numel() for value in model.parameters()) // 1e6 == millions


def test_published_names_of_heads():
    with torch.device("meta"):
        plain, metric = ImageReward(FULL).state_dict(), ImageReward(FULL, metric=True).state_dict()
    widths = ((0, 1024, 768), (2, 128, 1024), (4, 64, 128), (6, 16, 64), (7, 1, 16))
    for index, out, inputs in widths:
        assert plain[f"mlp.layers.{index}.weight"].shape == (out, inputs)
    prefix = "ImageAssessmentModel"
    shapes = {
        key: tuple(v.shape) for key, v in metric.items() if key.startswith(prefix) and "bias" not in key
    }
    assert shapes == {
        f"{prefix}.wv_quality": (768, 768),
        f"{prefix}.wv_text_image_correspondence": (768, 768),
        f"{prefix}.wv_authenticity": (768, 768),
        f"{prefix}.encoder.self_attn.in_proj_weight": (2304, 768),
        f"{prefix}.encoder.self_attn.out_proj.weight": (768, 768),
        f"{prefix}.encoder.linear1.weight": (2048, 768),
        f"{prefix}.encoder.linear2.weight": (768, 2048),
        f"{prefix}.encoder.norm1.weight": (768,),
        f"{prefix}.encoder.norm2.weight": (768,),
    }
    assert not any(key.startswith("mlp.") for key in metric)
