import json

import numpy as np
import pytest
import torch
from PIL import Image

from assay_training.__main__ import main
from assay_training.clip.model import normalised, unit
from assay_training.clip.sizes import open_clip
from assay_training.clip.tokenizer import encode, open_tokenizer, tiny_tokenizer
from assay_training.clip_scorers.checkpoint import load_head, random_clip, random_head, write_clip
from assay_training.clip_scorers.package import Sources, prepare
from assay_training.convert import make_folder
from assay_training.parity import CUT, TINY_CLIP
from assay_training.prepare import prepare as prepared
from assay_training.scorer import Scorer
from assay_training.verify import verify


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    folder = write_clip(random_clip(TINY_CLIP, 1), tmp_path_factory.mktemp("clip"))
    tiny_tokenizer(folder / "tokenizer.json", TINY_CLIP)
    torch.save(random_head(TINY_CLIP.joint, 1), folder / "head.pth")
    return folder


@pytest.fixture(scope="module")
def aesthetic(clip, tmp_path_factory):
    """Made by the command line."""
    out = tmp_path_factory.mktemp("out") / "aesthetic"
    sources = ["--clip", str(clip), "--head", str(clip / "head.pth")]
    assert (
        main(["convert", "clip", "--preset", "laion-aesthetic", *sources, "--out", str(out), "--int8"]) == 0
    )
    return out


def pictures() -> list[Image.Image]:
    squares = np.random.default_rng(5).integers(0, 256, (2, 12, 15, 3), np.uint8)
    return [Image.fromarray(one.repeat(6, 0).repeat(6, 1)) for one in squares]


def seen_by(folder, spec, image):
    pixels = prepared(image, {"dtype": "uint8", **spec})["image"]
    return unit(open_clip(folder).encode_image(normalised(torch.tensor(pixels)[None])))


def raw(scorer, image, prompt=None):
    return scorer.raw({name: value[None] for name, value in scorer.inputs(image).items()}, prompt)


def test_a_scorer_that_reads_no_text_verifies_and_says_what_torch_says(clip, aesthetic, capsys):
    verify(aesthetic)
    assert "golden: int8 agrees on 3 images" in capsys.readouterr().out
    manifest = json.loads((aesthetic / "manifest.json").read_text())
    assert manifest["text"] is None
    assert not [name for name in manifest["files"] if "tokenizer" in name or "mending" in name]
    scorer, head = Scorer(aesthetic), load_head(clip / "head.pth", TINY_CLIP.joint)
    for image in pictures():
        wanted = float(head(seen_by(clip, manifest["image"], image)))
        assert 1 < wanted < 10
        for prompt in (None, "a cat"):
            assert raw(scorer, image, prompt)["quality"][0, 0] == pytest.approx(wanted, abs=1e-3)
    assert "quality: 1 (worst) to 10 (best), with or without a prompt" in (aesthetic / "card.md").read_text()


def test_eight_bits_are_another_file_and_close(aesthetic):
    graphs = {
        name: v["graphs"]
        for name, v in json.loads((aesthetic / "manifest.json").read_text())["variants"].items()
    }
    assert graphs["int8"]["image"] != graphs["fp32"]["image"]
    image = pictures()[0]
    full, small = (raw(Scorer(aesthetic, variant), image)["quality"][0, 0] for variant in ("fp32", "int8"))
    assert 0 < abs(full - small) < 0.2


def test_a_cut_image_tower_says_what_the_whole_one_says(clip, tmp_path):
    system = prepare("hps", Sources(clip), tmp_path / "work", most_bytes=CUT)
    make_folder(system, tmp_path / "out")
    scorer, manifest = Scorer(tmp_path / "out"), system.manifest
    ids = encode(open_tokenizer(clip / "tokenizer.json"), ["a cat", "the " * 90], TINY_CLIP.context)
    meant = unit(open_clip(clip).encode_text(torch.from_numpy(ids)))
    for image in pictures():
        wanted = (seen_by(clip, manifest["image"], image) @ meant.T)[0]
        assert abs(wanted[0] - wanted[1]) > 1e-3
        for prompt, cosine in zip(("a cat", "the " * 90), wanted.tolist(), strict=True):
            assert raw(scorer, image, prompt)["alignment"][0, 0] == pytest.approx(cosine, abs=1e-5)
    assert raw(scorer, pictures()[0]) == {}


def test_the_command_line_names_what_is_wrong(clip, tmp_path, capsys):
    out = ["--out", str(tmp_path / "out")]
    assert main(["convert", "clip", "--preset", "hps", "--clip", str(tmp_path), *out]) == 1
    printed = capsys.readouterr().err
    assert printed.startswith(f"error: {tmp_path}: expected model.safetensors, pytorch_model.bin, open_clip")
    assert not (tmp_path / "out").exists()


def test_scorers_of_one_clip_have_the_same_image_graph(clip, aesthetic, tmp_path):
    graphs = prepare("clip-iqa", Sources(clip), tmp_path / "work").graphs
    files = json.loads((aesthetic / "manifest.json").read_text())["variants"]["fp32"]["graphs"]
    assert graphs["image"].read_bytes() == (aesthetic / files["image"]).read_bytes()
    assert graphs["score"].read_bytes() != (aesthetic / files["score"]).read_bytes()
