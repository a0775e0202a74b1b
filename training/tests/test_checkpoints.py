"""Files that people take for checkpoints, and what trainers put around and into state dicts."""

import argparse
import gzip
import io
import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from assay_training.checkpoints import CheckpointError, fit_state, read_state
from assay_training.clip.naming import clip_name
from assay_training.recognise import listed, recognised

STATE = {"a.weight": torch.arange(6.0).view(2, 3), "b.bias": torch.ones(2)}


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "net.pt"


def read(path: Path, stored: object) -> dict:
    torch.save(stored, path)
    return read_state(path)


def refusal(path: Path, content: bytes | None = None) -> str:
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CheckpointError) as caught:
        read_state(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "weights_only" not in message and "trust" not in message  # no advice to switch the safety off
    return message.removeprefix(f"{path}: ")


def packed(write) -> bytes:
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def zipped(file, name: str = "net.pt") -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, b"weights")


def tarred(file) -> None:
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("net.pt"))


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "empty; download it again"),
        (bytes(3000), "nothing but zeros"),
        (b"\n <!DOCTYPE html>\n<html lang=en>", "an HTML page; download the file itself"),
        (b"\xef\xbb\xbf<HTML><body>", "an HTML page"),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied", "an XML text"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "a Git LFS pointer"),
        (b"/annex/objects/MD5E-s9--0.pt\n", "a git-annex pointer"),
        (b"Entry not found", "a text that begins 'Entry not found'"),
        (b'{"error": "Invalid username or password."}', 'a text that begins \'{"error"'),
        (b"\x89PNG\r\n\x1a\n", "an image (PNG)"),
        (b"\xff\xd8\xff\xe0", "an image (JPEG)"),
        (b"RIFF\x10\x00\x00\x00WEBPVP8 ", "an image (WebP)"),
        (b"GGUF\x03\x00", "weights for llama.cpp"),
        (gzip.compress(b"weights", mtime=0), "an archive (gzip); unpack it first"),
        (packed(zipped), "an archive (zip with net.pt); unpack it first"),
        (packed(tarred), "an archive (tar); unpack it first"),
        (packed(lambda file: np.savez(file, a=np.zeros(2))), "arrays of NumPy"),
    ],
)
def test_what_is_no_checkpoint_is_told(path, content, kind):
    assert refusal(path, content).startswith(f"this is no checkpoint: it is {kind}")


def test_files_cut_off_are_told(path, tmp_path):
    torch.save(STATE, path)
    whole = path.read_bytes()
    assert "cut off after 700 bytes" in refusal(path, whole[:700])
    save_file(STATE, tmp_path / "net.safetensors")
    whole = (tmp_path / "net.safetensors").read_bytes()
    assert f"cut off: {len(whole) - 9} of at least {len(whole)} bytes" in refusal(path, whole[:-9])
    torch.save(STATE, path, _use_new_zipfile_serialization=False)
    assert "it ends too early" in refusal(path, path.read_bytes()[:200])


def test_other_bytes_and_folders_are_told(path, tmp_path):
    noise = bytes(np.random.default_rng(0).integers(1, 256, 3000, np.uint8))
    assert refusal(path, noise) == "this is no checkpoint: nothing that PyTorch writes"
    assert refusal(tmp_path) == "a folder, not a file"


def test_the_format_is_the_contents_not_the_names(path, tmp_path):
    save_file(STATE, path)
    assert read_state(path).keys() == STATE.keys()
    other = tmp_path / "net.safetensors"
    torch.save(STATE, other)
    assert read_state(other).keys() == STATE.keys()
    scripted = nn.Sequential(nn.Linear(3, 2))
    torch.jit.save(torch.jit.script(scripted), str(path))
    assert read_state(path).keys() == scripted.state_dict().keys()


@pytest.mark.parametrize("stored", [Path("x"), {"model": nn.Linear(2, 2)}, pytest.param(print, id="print")])
def test_what_would_run_code_is_refused_by_name(path, stored):
    torch.save(stored, path)
    message = refusal(path)
    assert message.startswith("not read, since that would run code stored in it (")
    assert "torch.save(model.state_dict(), …)" in message
    assert refusal(path, pickle.dumps({"a": stored}, 2)).startswith(("not read", "cannot be read"))


@pytest.mark.parametrize(
    "around",
    [
        lambda state: state,
        lambda state: {"model": state, "ema": {key: 0 * value for key, value in state.items()}},
        lambda state: {"state": {"model": {"module": state}}, "epoch": 3},
        lambda state: {"ema": {"shadow": state, "decay": 0.99}},
        lambda state: {"net": state, "optimizer": {"state": {0: {"exp_avg": torch.zeros(9)}}}},
        lambda state: {"params": state, "args": argparse.Namespace(lr=1), "best": np.float64(0.8)},
        lambda state: {"weights": state | {"step": 5, "name": "net"}, "matrix": np.zeros((2, 2))},
        lambda state: state | {"optimizer": {"state": {0: {"exp_avg": torch.zeros(9)}}}},
        lambda state: {"model": state, "counter": torch.zeros(1)},
        lambda state: {f"module.{key}": value for key, value in state.items()},
        lambda state: {"model": {f"_orig_mod.module.{key}": value for key, value in state.items()}},
        lambda state: {key.replace(".", ".module."): value for key, value in state.items()},
    ],
)
def test_a_state_is_found_in_what_wraps_it(path, around):
    found = read(path, around(STATE))
    assert found.keys() == STATE.keys()
    assert all(torch.equal(found[key], value) for key, value in STATE.items())


def test_what_holds_no_tensors_is_described(path):
    for stored, kind in ([torch.zeros(2)], "a list"), ({}, "an empty dict"), ({"a": 1}, "a dict with a"):
        torch.save(stored, path)
        assert refusal(path) == f"expected a state dict (tensors by key), found {kind}"


def fitted(state: dict) -> nn.Module:
    net = nn.Sequential()
    net.add_module("a", nn.Linear(3, 2, bias=False))
    net.add_module("b", nn.LayerNorm(2, bias=True))
    fit_state(net, {"b.weight": torch.ones(2)} | state, Path("net.pt"))
    return net


def unfit(state: dict) -> str:
    with pytest.raises(CheckpointError) as caught:
        fitted(state)
    return str(caught.value)


def test_a_prefix_of_most_names_is_left_out():
    state = {f"model.net.{key}": value for key, value in (STATE | {"b.weight": torch.ones(2)}).items()}
    net = nn.Sequential()
    net.add_module("a", nn.Linear(3, 2, bias=False))
    net.add_module("b", nn.LayerNorm(2))
    fit_state(net, state, Path("net.pt"))
    assert torch.equal(net.a.weight, STATE["a.weight"])
    with pytest.raises(CheckpointError, match=r"unexpected key loss\.weight; all else is there"):
        fit_state(net, state | {"loss.weight": torch.ones(1)}, Path("net.pt"))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_are_converted(dtype):
    net = fitted({key: value.to(dtype) for key, value in STATE.items()})
    assert net.a.weight.dtype == torch.float32 and torch.equal(net.a.weight, STATE["a.weight"])


def test_weights_that_are_no_weights_are_named():
    broken = STATE["a.weight"].clone()
    broken[0, 0] = torch.nan
    assert unfit(STATE | {"a.weight": broken}).startswith("net.pt: a.weight holds what is no finite number")
    small = STATE | {"a.weight": STATE["a.weight"].to(torch.int8)}
    assert "expected floating-point numbers, found torch.int8" in unfit(small)


def test_many_names_are_told_by_their_parts():
    assert listed(["a.b", "c"]) == "a.b, c"
    many = [f"blocks.{number}.{part}" for number in range(9) for part in ("weight", "bias")]
    assert listed([*many, "head.weight"]) == "blocks.* (18), head"
    assert listed([f"a.{number}.weight" for number in range(3)] * 2) == "a.0.* (2), a.1.* (2), a.2.* (2)"
    assert listed("abcdefg") == "a, b, c, d, e and 2 more"


@pytest.mark.parametrize(
    ("width", "patch", "side", "name"),
    [
        (768, 32, 224, "ViT-B/32"),
        (768, 16, 224, "ViT-B/16"),
        (1024, 14, 224, "ViT-L/14"),
        (1024, 14, 336, "ViT-L/14@336"),
        (1280, 14, 224, "ViT-H/14"),
        (24, 4, 16, None),
    ],
)
def test_clips_with_transformers_have_names(width, patch, side, name):
    patches, places = torch.empty(width, 3, patch, patch), torch.empty((side // patch) ** 2 + 1, width)
    openai = {"visual.conv1.weight": patches, "visual.positional_embedding": places}
    start = "vision_model.embeddings."
    other = {f"{start}patch_embedding.weight": patches, f"{start}position_embedding.weight": places}
    assert clip_name(openai) == clip_name(other) == name


@pytest.mark.parametrize(
    ("blocks", "joint", "name"),
    [
        ((3, 4, 6, 3), 1024, "RN50"),
        ((3, 4, 23, 3), 512, "RN101"),
        ((4, 6, 10, 6), 640, "RN50x4"),
        ((6, 8, 18, 8), 768, "RN50x16"),
        ((3, 15, 36, 10), 1024, "RN50x64"),
    ],
)
def test_clips_with_resnets_have_names(blocks, joint, name):
    state = {
        f"visual.layer{layer}.{number}.conv1.weight": torch.empty(1)
        for layer, count in enumerate(blocks, 1)
        for number in range(count)
    }
    assert clip_name(state | {"text_projection": torch.empty(2, joint)}) == name


def test_other_systems_are_recognised():
    def of(*names: str) -> str | None:
        return recognised({name: torch.empty(1) for name in names})

    assert of("model.diffusion_model.input_blocks.0.weight").startswith("Stable Diffusion")
    assert of("lora_unet_down.lora_down.weight").startswith("a LoRA")
    assert of("visual_encoder.cls_token", "text_encoder.bert.x") == "BLIP, which compares images and texts"
    assert of("model.layers.0.mlp.weight", "lm_head.weight") == "a language model"
    assert of("xlstm_pooler.xlstm_stack.blocks.0.x", "W.weight").startswith("M3-AGIQA")
    aesthetic = recognised({"layers.0.weight": torch.empty(1024, 768)})
    assert aesthetic.startswith("the LAION aesthetic predictor") and "laion-aesthetic" in aesthetic
    assert of("backbone.weight") is None
