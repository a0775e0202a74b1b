import torch
from torch import nn

from assay_training.clip.model import Attention, Clip, at_end, causal_mask, normalised
from clip.clip_world import TINY, tiny_clip


def test_keys_and_shapes_are_those_of_vit_b_32():
    with torch.device("meta"):
        state = Clip().state_dict()
    shapes = {key: tuple(value.shape) for key, value in state.items()}
    assert shapes["visual.conv1.weight"] == (768, 3, 32, 32)
    assert shapes["visual.positional_embedding"] == (50, 768)
    assert shapes["visual.transformer.resblocks.11.attn.in_proj_weight"] == (2304, 768)
    assert shapes["visual.transformer.resblocks.0.mlp.c_fc.weight"] == (3072, 768)
    assert shapes["visual.proj"] == (768, 512)
    assert shapes["transformer.resblocks.11.mlp.c_proj.bias"] == (512,)
    assert shapes["token_embedding.weight"] == (49408, 512)
    assert shapes["positional_embedding"] == (77, 512)
    assert shapes["text_projection"] == (512, 512)
    assert sum(value.numel() for value in state.values()) == 151_277_313  # as published for ViT-B/32


def test_attention_equals_torchs_own():
    torch.manual_seed(0)
    own, reference = Attention(12, 3), nn.MultiheadAttention(12, 3, batch_first=True)
    own.in_proj_bias.data.normal_()
    reference.load_state_dict(own.state_dict())
    x, mask = torch.randn(2, 5, 12), causal_mask(5, torch.zeros(1))
    for given in (None, mask):
        torch.testing.assert_close(own(x, given), reference(x, x, x, attn_mask=given)[0])


def test_text_is_read_at_its_end_and_what_follows_does_not_matter():
    model, end = tiny_clip(), TINY.vocabulary - 1
    ids = torch.tensor([[528, 5, 6, end, 0, 0, 0, 0, 0, 0]])
    with torch.inference_mode():
        found = model.encode_text(ids)
        later, earlier = ids.clone(), ids.clone()
        later[0, 4:], earlier[0, 2] = 7, 7
        torch.testing.assert_close(model.encode_text(later), found)
        assert (model.encode_text(earlier) - found).abs().max() > 1e-3
    states = torch.arange(20.0).view(1, 10, 2)
    assert at_end(states, ids).tolist() == [[6, 7]]


def test_images_are_normalised_as_clip_wants_them():
    found = normalised(torch.full((1, 2, 4, 3), 255, dtype=torch.uint8))
    assert found.shape == (1, 3, 2, 4)
    expected = torch.tensor([(1 - 0.48145466) / 0.26862954, (1 - 0.4578275) / 0.26130258])
    torch.testing.assert_close(found[0, :2, 1, 3], expected)
