import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from assay_training.checkpoints import CheckpointError
from assay_training.clip.model import Clip, ClipConfig
from assay_training.clip.sizes import open_clip, sizes
from clip.clip_world import TINY, huggingface_state, tiny_clip


@pytest.fixture(scope="module")
def state():
    return {key: value.detach() for key, value in tiny_clip().state_dict().items()}


def huggingface(state, folder, act="quick_gelu", heads=TINY.heads, text_act=None):
    """A folder as transformers writes it."""
    folder.mkdir(exist_ok=True)
    save_file(huggingface_state(state), folder / "model.safetensors")
    told = {
        "vision_config": {"hidden_act": act, "num_attention_heads": heads},
        "text_config": {"hidden_act": text_act or act, "num_attention_heads": TINY.text_heads},
    }
    (folder / "config.json").write_text(json.dumps(told))
    return folder


def openclip(state, folder, **more):
    """A folder as OpenCLIP writes it."""
    folder.mkdir(exist_ok=True)
    save_file(state, folder / "open_clip_model.safetensors")
    vision = {"width": TINY.width, "head_width": TINY.width // TINY.heads}
    told = {"vision_cfg": vision, "text_cfg": {"heads": TINY.text_heads}, **more}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": told}))
    return folder


def test_sizes_are_those_of_the_tensors_and_of_the_settings_beside_them(state, tmp_path):
    assert open_clip(huggingface(state, tmp_path / "hf")).config == TINY
    exact = replace(TINY, activation="gelu")
    assert open_clip(huggingface(state, tmp_path / "gelu", "gelu")).config == exact
    assert open_clip(openclip(state, tmp_path / "open")).config == exact
    assert open_clip(openclip(state, tmp_path / "quick", quick_gelu=True)).config == TINY


def test_activations_differ(state, tmp_path):
    images, ids = torch.randn(2, 3, 16, 16), torch.tensor([[528, 5, 6, 529, 0, 0, 0, 0, 0, 0]])
    quick, exact = (open_clip(huggingface(state, tmp_path / act, act)) for act in ("quick_gelu", "gelu"))
    for name, given in (("encode_image", images), ("encode_text", ids)):
        assert (getattr(quick, name)(given) - getattr(exact, name)(given)).abs().max() > 1e-4


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (ClipConfig(), (224, 32, 12, 8)),
        (
            ClipConfig(patch=14, width=1024, heads=16, text_width=768, text_heads=12, joint=768),
            (224, 14, 16, 12),
        ),
        (
            ClipConfig(
                patch=14, width=1280, layers=32, heads=16, text_width=1024, text_layers=24, text_heads=16
            ),
            (224, 14, 16, 16),
        ),
    ],
)
def test_published_sizes_need_no_settings_but_the_activation(config, expected, tmp_path):
    with torch.device("meta"):
        state = Clip(config).state_dict()
    found = sizes(dict(state), tmp_path / "weights.pt", "quick-gelu")
    assert found == config
    assert (found.side, found.patch, found.heads, found.text_heads) == expected


def test_what_the_user_says_fills_what_is_not_told_and_contradicts_nothing(state, tmp_path):
    told = {"vision_config": {"num_attention_heads": 2}, "text_config": {"num_attention_heads": 3}}
    folder = huggingface(state, tmp_path / "hf")
    with pytest.raises(CheckpointError, match="beside it says quick-gelu, --activation says gelu"):
        open_clip(folder, "gelu")
    (folder / "config.json").write_text(json.dumps(told))  # what is usual is left out by transformers
    assert open_clip(folder).config == TINY
    with torch.device("meta"):
        bare = dict(Clip().state_dict())
    with pytest.raises(
        CheckpointError, match=r"nothing beside it says with which activation .* give --activation"
    ):
        sizes(bare, tmp_path / "weights.pt")
    assert sizes(bare, tmp_path / "weights.pt", usual="gelu").activation == "gelu"


def test_what_is_missing_or_of_another_width_is_named(state, tmp_path):
    def refused(change: dict, message: str, without: str | None = None):
        other = {key: value for key, value in (state | change).items() if key != without}
        with pytest.raises(CheckpointError, match=message):
            open_clip(openclip(other, tmp_path / "open"))

    projection = r"visual\.proj \(visual_projection\.weight on Hugging Face\)"
    refused(
        {}, rf"open_clip_model\.safetensors: no CLIP with both towers: {projection} is missing", "visual.proj"
    )
    refused({}, r"text_projection \(text_projection\.weight on Hugging Face\) is missing", "text_projection")
    refused({"visual.proj": torch.ones(9, 8)}, rf"{projection}: expected shape \(16, 8\), found \(9, 8\)")
    refused({"text_projection": torch.ones(12, 7)}, r"expected shape \(12, 8\), found \(12, 7\)")
    refused({"visual.proj": torch.ones(8)}, rf"{projection}: expected 2 dimensions, found \(8,\)")
    refused({"visual.positional_embedding": torch.ones(18, 16)}, "a square of patches, found 18 rows")
    block = "transformer.resblocks.1.mlp.c_fc.weight"
    refused({block: torch.ones(40, 12)}, rf"{block}: expected shape \(48, 12\), found \(40, 12\)")
    refused({}, f"1 of .* keys missing: {block}", block)


def test_settings_that_do_not_fit_are_named(state, tmp_path):
    folder = huggingface(state, tmp_path / "hf", "relu")
    with pytest.raises(CheckpointError, match=r"config\.json: hidden_act: expected .* found relu"):
        open_clip(folder)
    with pytest.raises(CheckpointError, match="for both towers, found gelu and quick_gelu"):
        open_clip(huggingface(state, folder, text_act="gelu"))
    with pytest.raises(CheckpointError, match="a width of 16 cannot be split among 3 heads"):
        open_clip(huggingface(state, folder, heads=3))
    with pytest.raises(
        CheckpointError, match="num_attention_heads: expected a number of 1 or more, found '2'"
    ):
        open_clip(huggingface(state, folder, heads="2"))
    for content, message in (
        ("{", "cannot be read as JSON"),
        ("[]", "expected settings by name, found a list"),
    ):
        (folder / "config.json").write_text(content)
        with pytest.raises(CheckpointError, match=rf"config\.json: {message}"):
            open_clip(folder)
    (folder / "config.json").unlink()
    with pytest.raises(CheckpointError, match="how many heads attend is not known for a width of 16"):
        open_clip(folder, "gelu")


def test_a_resnet_is_named(tmp_path):
    torch.save(
        {"visual.layer1.0.conv1.weight": torch.ones(1), "logit_scale": torch.ones(())}, tmp_path / "rn.pt"
    )
    with pytest.raises(
        CheckpointError, match="this is CLIP with a ResNet; one with a vision transformer is needed"
    ):
        open_clip(tmp_path / "rn.pt")
