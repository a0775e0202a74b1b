from dataclasses import replace
from pathlib import Path

import pytest
import torch

from acl_iqa.acl_iqa_world import SMALLEST, TINY
from assay_training.acl_iqa.checkpoint import from_clip, load_checkpoint, random_checkpoint, write_checkpoint
from assay_training.acl_iqa.config import AclConfig
from assay_training.acl_iqa.model import AclIqa
from assay_training.checkpoints import CheckpointError
from assay_training.clip.model import Clip

GONE = "encoder.vision_resblocks.1.cross_attn.q_proj.weight"
# shapes at full size, as the layout's description gives them
SHAPES = {
    "class_embedding": (768,),
    "positional_embedding": (50, 768),
    "conv1.weight": (768, 3, 32, 32),
    "ln_pre.weight": (768,),
    "ln_post_col.bias": (768,),
    "ln_post_adv.weight": (768,),
    "proj_col": (768, 512),
    "proj_adv": (768, 512),
    "text_positional_embedding": (77, 512),
    "token_embedding.weight": (49408, 512),
    "ln_final.weight": (512,),
    "text_projection": (512, 512),
    "logit_scale": (),
    "theta": (),
    "encoder.vision_resblocks.0.attn.in_proj_weight": (2304, 768),
    "encoder.vision_resblocks.10.mlp.c_fc.weight": (3072, 768),
    "encoder.vision_resblocks.11.mlp_col.c_proj.weight": (768, 3072),
    "encoder.vision_resblocks.11.mlp_adv.c_fc.bias": (3072,),
    "encoder.vision_resblocks.1.cross_attn.q_proj.weight": (768, 768),
    "encoder.vision_resblocks.1.cross_attn.k_proj.weight": (768, 512),
    "encoder.vision_resblocks.1.cross_attn.v_proj.weight": (768, 512),
    "encoder.vision_resblocks.1.cross_attn.out_proj.bias": (768,),
    "encoder.vision_resblocks.1.adapter_MoE.w_gate_col": (768, 6),
    "encoder.vision_resblocks.1.adapter_MoE.w_gate_adv": (768, 6),
    "encoder.vision_resblocks.1.adapter_MoE.w_noise": (768, 6),
    "encoder.vision_resblocks.1.adapter_MoE.mean": (1,),
    "encoder.vision_resblocks.1.adapter_MoE.std": (1,),
    "encoder.vision_resblocks.1.adapter_MoE.adapter_experts.0.adapter_down.weight": (8, 768),
    "encoder.vision_resblocks.1.adapter_MoE.adapter_experts.3.adapter_conv.weight": (8, 8, 3, 3),
    "encoder.vision_resblocks.1.adapter_MoE.adapter_experts.4.adapter_conv.weight": (8, 8, 3),
    "encoder.vision_resblocks.1.adapter_MoE.adapter_experts.5.adapter_conv.bias": (8,),
    "encoder.vision_resblocks.1.adapter_MoE.adapter_experts.5.adapter_up.weight": (768, 8),
    "encoder.text_resblocks.11.attn.in_proj_weight": (1536, 512),
    "encoder.text_resblocks.11.mlp.c_proj.bias": (512,),
}


def test_full_size_layout_is_upstreams():
    with torch.device("meta"):
        state = {key: tuple(value.shape) for key, value in AclIqa().state_dict().items()}
    assert {key: state.get(key) for key in SHAPES} == SHAPES
    plain, moe = 12, 8 + 8 + 8 + 5 + 36  # tensors of a block
    assert len(state) == 18 + 6 * plain + 6 * moe + 12 * plain


@pytest.fixture
def path(tmp_path) -> Path:
    random_checkpoint(TINY, tmp_path / "net.pt", 0)
    return tmp_path / "net.pt"


def stored(path: Path) -> dict:
    return torch.load(path, weights_only=True)["model_state_dict"]


def test_what_is_written_is_half_and_full_precision_as_upstream(path):
    state = stored(path)
    assert all(key.startswith("model.") for key in state)
    block = "model.encoder.vision_resblocks"
    half = ["model.text_projection", "model.conv1.weight", f"{block}.0.attn.in_proj_bias"]
    half += [f"{block}.1.cross_attn.k_proj.bias", "model.encoder.text_resblocks.0.mlp.c_fc.weight"]
    full = ["model.proj_col", "model.ln_pre.weight", "model.token_embedding.weight", "model.theta"]
    full += [f"{block}.1.adapter_MoE.w_gate_adv", "model.class_embedding", f"{block}.0.ln_1.bias"]
    assert {state[key].dtype for key in half} == {torch.float16}
    assert {state[key].dtype for key in full} == {torch.float32}


def test_checkpoint_is_read_back_in_float32_and_dead_keys_are_reported(path):
    net, without_effect = load_checkpoint(path, TINY)
    assert {value.dtype for value in net.state_dict().values()} == {torch.float32}
    assert not net.training
    for key, value in stored(path).items():
        assert torch.equal(net.state_dict()[key.removeprefix("model.")], value.float())
    expected = {
        f"encoder.vision_resblocks.{i}.adapter_MoE.{n}" for i in (1, 3) for n in ("mean", "std", "w_noise")
    }
    assert set(without_effect) == expected


def test_variant_is_the_files(tmp_path):
    random_checkpoint(SMALLEST, tmp_path / "one.pt", 0)
    net, without_effect = load_checkpoint(tmp_path / "one.pt", replace(SMALLEST, variant="acl"))
    assert net.config.variant == "conv-moe"
    assert "theta" in without_effect
    assert {"proj", "ln_post.weight", "encoder.vision_resblocks.1.adapter_MoE.w_gate"} <= set(
        net.state_dict()
    )


def test_dead_keys_may_be_missing_and_the_prefix_too(path):
    state = {key.removeprefix("model."): v for key, v in stored(path).items() if "w_noise" not in key}
    torch.save(state, path)
    _, without_effect = load_checkpoint(path, TINY)
    assert len(without_effect) == 4


def refusal(path: Path, config: AclConfig = TINY) -> str:
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path, config)
    return str(caught.value)


def test_missing_key_is_named(path):
    state = stored(path)
    del state[f"model.{GONE}"]
    torch.save({"model_state_dict": state}, path)
    assert refusal(path) == f"{path}: 1 of {len(state) + 1} keys missing: {GONE}"


def test_wrong_shape_is_named(path):
    state = stored(path)
    state[f"model.{GONE}"] = torch.zeros(16, 15)
    torch.save({"model_state_dict": state}, path)
    assert refusal(path) == f"{path}: {GONE}: expected shape (16, 16), found (16, 15)"


def test_unknown_key_is_named(path):
    torch.save({"model_state_dict": stored(path) | {"model.head.weight": torch.zeros(1)}}, path)
    assert refusal(path).startswith(f"{path}: unexpected key head.weight; all else is there")


def test_unknown_key_outside_of_the_prefix_is_named(path):
    torch.save({"model_state_dict": stored(path) | {"criterion.weight": torch.zeros(1)}}, path)
    assert refusal(path).startswith(f"{path}: unexpected key criterion.weight; all else is there")


def test_other_system_is_named(tmp_path):
    path = tmp_path / "blip.pt"
    torch.save({"blip.visual_encoder.cls_token": torch.zeros(2), "mlp.layers.0.weight": torch.zeros(2)}, path)
    found = (
        "found blip.visual_encoder.cls_token, mlp.layers.0.weight. This looks like ImageReward (`python -m "
    )
    assert refusal(path).startswith(f"{path}: no ACL-IQA: expected gates (") and found in refusal(path)


def test_clip_itself_and_one_on_another_clip_are_named(path):
    patches, places = torch.zeros(768, 3, 16, 16), torch.zeros(197, 768)
    other = stored(path) | {"model.conv1.weight": patches, "model.positional_embedding": places}
    torch.save(other, path)
    assert refusal(path, AclConfig()) == f"{path}: its CLIP is ViT-B/16; ViT-B/32 is needed"
    torch.save({"visual.conv1.weight": patches, "visual.positional_embedding": places}, path)
    assert refusal(path).endswith("This looks like CLIP ViT-B/16, without a scorer on top of it")
    with pytest.raises(CheckpointError, match="this is CLIP ViT-B/16; ViT-B/32 is needed"):
        from_clip(path)


@pytest.mark.parametrize("prefix", ["module.", "module.model.", "_orig_mod.model.", "model.module.", "net."])
def test_names_of_parallel_and_compiled_nets_are_read(path, prefix):
    state = {prefix + key.removeprefix("model."): value for key, value in stored(path).items()}
    torch.save({"epoch": 3, "state_dict": state}, path)
    net, without_effect = load_checkpoint(path, TINY)
    assert torch.equal(net.proj_col, state[f"{prefix}proj_col"].float())
    assert len(without_effect) == 6


def test_truncated_file_is_named(path):
    path.write_bytes(path.read_bytes()[:1000])
    assert (
        refusal(path) == f"{path}: this is no checkpoint: it is cut off after 1000 bytes; download it again"
    )


def test_pickled_code_is_refused(path):
    torch.save({"model_state_dict": stored(path), "config": Path("x")}, path)
    assert refusal(path).startswith(f"{path}: not read, since that would run code stored in it")


def test_clip_weights_go_to_both_paths(tmp_path):
    torch.manual_seed(0)
    clip = Clip(TINY.clip)
    torch.save(clip.state_dict(), tmp_path / "clip.pt")
    found, given = from_clip(tmp_path / "clip.pt", TINY).state_dict(), clip.state_dict()
    pairs = {
        "class_embedding": "visual.class_embedding",
        "positional_embedding": "visual.positional_embedding",
        "text_positional_embedding": "positional_embedding",
        "proj_col": "visual.proj",
        "proj_adv": "visual.proj",
        "ln_post_adv.weight": "visual.ln_post.weight",
        "encoder.vision_resblocks.3.mlp_col.c_fc.weight": "visual.transformer.resblocks.3.mlp.c_fc.weight",
        "encoder.vision_resblocks.3.mlp_adv.c_proj.bias": "visual.transformer.resblocks.3.mlp.c_proj.bias",
        "encoder.vision_resblocks.2.mlp.c_fc.weight": "visual.transformer.resblocks.2.mlp.c_fc.weight",
        "encoder.text_resblocks.1.attn.in_proj_weight": "transformer.resblocks.1.attn.in_proj_weight",
        "logit_scale": "logit_scale",
    }
    for key, source in pairs.items():
        assert torch.equal(found[key], given[source]), key
    assert found["theta"] == 0.5
    assert not found["encoder.vision_resblocks.1.adapter_MoE.w_gate_col"].any()


def test_clip_of_the_wrong_size_is_named(tmp_path):
    path = tmp_path / "clip.pt"
    torch.save(Clip(replace(TINY.clip, width=24)).state_dict(), path)
    with pytest.raises(CheckpointError) as caught:
        from_clip(path, TINY)
    expected = "a CLIP of the wrong size: visual.conv1.weight: expected (16, 3, 4, 4), found (24, 3, 4, 4)"
    assert str(caught.value) == f"{path}: {expected}"


def test_writing_in_full_precision_keeps_every_bit(tmp_path):
    torch.manual_seed(0)
    net = AclIqa(TINY)
    write_checkpoint(net, tmp_path / "net.pt", epoch=3)
    found, _ = load_checkpoint(tmp_path / "net.pt", TINY)
    assert all(torch.equal(a, b) for a, b in zip(found.parameters(), net.parameters(), strict=True))
    assert torch.load(tmp_path / "net.pt", weights_only=True)["epoch"] == 3
