import itertools
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from assay_training.checkpoints import CheckpointError
from assay_training.clip.tokenizer import write_tokenizer
from assay_training.diff_agiqa.checkpoint import Sources, load_head, load_text, load_unet, load_vae
from assay_training.diff_agiqa.config import TINY
from assay_training.diff_agiqa.ldm import RESNET, TEXT, UNET, VAE, unet_names, vae_names
from assay_training.diff_agiqa.package import prepare

PLACES = {  # names in single files and in folders
    "input_blocks.0.0.weight": "conv_in.weight",
    "input_blocks.3.0.op.bias": "down_blocks.0.downsamplers.0.conv.bias",
    "input_blocks.4.0.skip_connection.weight": "down_blocks.1.resnets.0.conv_shortcut.weight",
    "input_blocks.8.1.proj_in.weight": "down_blocks.2.attentions.1.proj_in.weight",
    "input_blocks.11.0.emb_layers.1.weight": "down_blocks.3.resnets.1.time_emb_proj.weight",
    "middle_block.1.norm.weight": "mid_block.attentions.0.norm.weight",
    "middle_block.2.in_layers.2.weight": "mid_block.resnets.1.conv1.weight",
    "output_blocks.2.1.conv.weight": "up_blocks.0.upsamplers.0.conv.weight",
    "output_blocks.5.2.conv.weight": "up_blocks.1.upsamplers.0.conv.weight",
    "output_blocks.6.1.transformer_blocks.0.attn2.to_k.weight": (
        "up_blocks.2.attentions.0.transformer_blocks.0.attn2.to_k.weight"
    ),
    "time_embed.2.weight": "time_embedding.linear_2.weight",
}


def theirs(state):
    """Names of a single file for those of a folder's UNet."""
    parts = [*RESNET, *RESNET.values()]
    stems = {key.split(".", 4)[-1] for key in state} | {key.split(".", 3)[-1] for key in state}
    ends = (
        {f"{part}.{kind}" for part, kind in itertools.product(parts, ("weight", "bias"))}
        | stems
        | {"op.weight", "op.bias", "conv.weight", "conv.bias"}
    )
    names = [
        f"{side}_blocks.{n}.{i}.{end}"
        for side in ("input", "output")
        for n in range(12)
        for i in range(3)
        for end in ends
    ]
    names += [f"middle_block.{i}.{end}" for i in range(3) for end in ends]
    names += ["input_blocks.0.0.weight", "input_blocks.0.0.bias"]
    names += [f"time_embed.{i}.{kind}" for i in (0, 2) for kind in ("weight", "bias")]
    back = {new: old for old in names for new in unet_names({old: None})}
    return {back[key]: value for key, value in state.items()}


def vae_theirs(state):
    found = {}
    for key, value in state.items():
        key = key.replace("encoder.conv_norm_out", "encoder.norm_out").replace(
            "conv_shortcut", "nin_shortcut"
        )
        key = key.replace("mid_block.resnets.0", "mid.block_1").replace("mid_block.resnets.1", "mid.block_2")
        key = key.replace("mid_block.attentions.0.group_norm", "mid.attn_1.norm")
        key = key.replace("mid_block.attentions.0.to_out.0", "mid.attn_1.proj_out")
        key = key.replace("mid_block.attentions.0.to_", "mid.attn_1.")
        for level in range(4):
            key = key.replace(f"down_blocks.{level}.resnets", f"down.{level}.block")
            key = key.replace(f"down_blocks.{level}.downsamplers.0", f"down.{level}.downsample")
        is_layer = "attn_1." in key and value.ndim == 2
        found[key] = value[:, :, None, None].contiguous() if is_layer else value
    return found


@pytest.fixture(scope="module")
def single(sources, tmp_path_factory):
    """The same weights in one file, with what else such files hold."""
    folder, found = sources.diffusion, {"model_ema.decay": torch.ones(1), "betas": torch.ones(3)}
    for start, part, name, turn in (
        (UNET, "unet", "diffusion_pytorch_model", theirs),
        (VAE, "vae", "diffusion_pytorch_model", vae_theirs),
        (TEXT, "text_encoder", "model", dict),
    ):
        state = turn(load_file(folder / part / f"{name}.safetensors"))
        found |= {start + key: value for key, value in state.items()}
    found[f"{UNET}out.2.weight"] = torch.ones(3)  # of what is not used, in another form even
    path = tmp_path_factory.mktemp("single") / "sd.safetensors"
    save_file(found, path)
    return path


def edited(sources, tmp_path, part, change):
    """A copy of the folder in which one state is another."""
    folder = tmp_path / "sd"
    shutil.copytree(sources.diffusion, folder)
    (path,) = (folder / part).glob("*.safetensors")
    state = load_file(path)
    change(state)
    save_file(state, path)
    return Sources(folder, sources.head)


def test_names_of_single_files_and_of_older_folders():
    assert list(unet_names(dict.fromkeys(PLACES))) == list(PLACES.values())
    key = "encoder.mid_block.attentions.0.{}.weight"
    old = {key.format(name): torch.ones(2, 2) for name in ("query", "key", "value", "proj_attn")}
    assert list(vae_names(old)) == [key.format(name) for name in ("to_q", "to_k", "to_v", "to_out.0")]


def test_a_single_file_is_the_same_net_as_a_folder(sources, single):
    for load in (load_unet, load_vae, load_text):
        wanted, found = (
            load(sources, TINY).state_dict(),
            load(Sources(single, sources.head), TINY).state_dict(),
        )
        assert wanted.keys() == found.keys()
        assert all(torch.equal(value, found[key]) for key, value in wanted.items())


def test_other_families_are_named(sources, tmp_path):
    key = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight"
    for width, family in ((1024, "Stable Diffusion 2"), (2048, "Stable Diffusion XL")):
        other = edited(
            sources, tmp_path / str(width), "unet", lambda s, w=width: s.update({key: torch.ones(16, w)})
        )
        with pytest.raises(CheckpointError, match=rf"{key}: expected 32 columns.* found {width}: .*{family}"):
            load_unet(other, TINY)
    inpainting = edited(
        sources, tmp_path / "9", "unet", lambda s: s.update({"conv_in.weight": torch.ones(16, 9, 3, 3)})
    )
    with pytest.raises(CheckpointError, match=r"conv_in\.weight: expected 4 channels, found 9: .*inpainting"):
        load_unet(inpainting, TINY)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (["conditioner.embedders.0.transformer.x", "model.diffusion_model.y"], "this is Stable Diffusion XL"),
        (["cond_stage_model.model.ln_final.bias", "model.diffusion_model.y"], "this is Stable Diffusion 2"),
        (["lora_unet_down.lora_up.weight"], r"expected model\.diffusion_model\.\*.*looks like a LoRA"),
        (["encoder.mid.block_1.norm1.bias", "decoder.mid.block_1.norm1.bias"], "looks like a VAE alone"),
        (["model.diffusion_model.x"], r"expected first_stage_model\.\* \(vae\), found model"),
        (["pyramid_extractors.0.fusion.0.bias", "image_prompts.x"], "looks like the head of Diff-AGIQA"),
    ],
)
def test_other_single_files_are_named(sources, tmp_path, keys, said):
    path = tmp_path / "other.safetensors"
    save_file({key: torch.ones(1) for key in keys}, path)
    with pytest.raises(CheckpointError, match=rf"{path}: .*{said}"):
        load_unet(Sources(path, sources.head), TINY)


def test_what_is_missing_is_named(sources, tmp_path):
    key = "mid_block.attentions.0.norm.bias"
    lacking = edited(sources, tmp_path / "key", "unet", lambda state: state.pop(key))
    with pytest.raises(CheckpointError, match=rf"1 of \d+ keys missing: {key}"):
        load_unet(lacking, TINY)
    for part in ("vae", "tokenizer"):
        folder = tmp_path / part / "sd"
        shutil.copytree(sources.diffusion, folder)
        shutil.rmtree(folder / part)
        with pytest.raises(
            CheckpointError, match=f"{folder}: no .*{'found no vae/' if part == 'vae' else ''}"
        ):
            if part == "vae":
                load_vae(Sources(folder, sources.head), TINY)
            else:
                write_tokenizer(
                    Sources(folder, sources.head).tokenizer_folder, tmp_path / "t.json", TINY.text
                )


def test_heads_of_another_width_and_other_files_are_named(sources, tmp_path):
    state, path = torch.load(sources.head, weights_only=True), tmp_path / "head.pt"
    state["pyramid_extractors.2.branches.1.0.weight"] = torch.ones(16, 64, 3, 3)
    torch.save(state, path)
    with pytest.raises(
        CheckpointError, match=r"branches\.1\.0\.weight: expected shape \(16, 128, 3, 3\), found \(16, 64"
    ):
        load_head(path, TINY)
    vae = sources.diffusion / "vae" / "diffusion_pytorch_model.safetensors"
    with pytest.raises(CheckpointError, match=r"keys missing: .*looks like a VAE alone"):
        load_head(vae, TINY)


def test_what_has_no_effect_is_ignored(sources):
    state = torch.load(sources.head, weights_only=True)
    assert {
        "image_prompts.meta_net.0.bias",
        "cross_attentions.5.gamma",
        "fusion_align.0.bias",
    } <= state.keys()
    assert "cross_attentions.5.gamma" not in load_head(sources.head, TINY).state_dict()


def test_other_files_are_recognised_before_a_tokenizer_is_looked_for(sources, tmp_path):
    with pytest.raises(
        CheckpointError, match=r"head\.pt: no Stable Diffusion 1\.5: .*the head of Diff-AGIQA"
    ):
        prepare(Sources(sources.head, sources.head), tmp_path / "work", config=TINY)
    unet = sources.diffusion / "unet" / "diffusion_pytorch_model.safetensors"
    with pytest.raises(CheckpointError, match=r"diffusion_pytorch_model.*keys missing.*a diffusion model"):
        prepare(Sources(sources.diffusion, unet), tmp_path / "work", config=TINY)
    (tmp_path / "sd").mkdir()
    with pytest.raises(CheckpointError, match=r"no folder of diffusers with Stable Diffusion 1\.5"):
        prepare(Sources(tmp_path / "sd", sources.head), tmp_path / "work", config=TINY)


@pytest.mark.parametrize(
    ("part", "key"),
    [
        ("unet", "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight"),
        ("unet", "conv_in.weight"),
        ("text_encoder", "text_model.embeddings.token_embedding.weight"),
    ],
)
def test_a_number_where_a_matrix_is_expected_is_named(sources, tmp_path, part, key):
    other = edited(sources, tmp_path, part, lambda state: state.update({key: torch.zeros(())}))
    with pytest.raises(CheckpointError, match=f"{key}: expected .*, found .*"):
        {"unet": load_unet, "text_encoder": load_text}[part](other, TINY)
