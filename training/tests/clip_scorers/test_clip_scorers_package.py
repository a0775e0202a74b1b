from dataclasses import replace

import pytest
import torch

from assay_training.checkpoints import CheckpointError
from assay_training.clip.model import unit
from assay_training.clip.tokenizer import encode, open_tokenizer, tiny_tokenizer
from assay_training.clip_scorers import package
from assay_training.clip_scorers.checkpoint import load_head, random_clip, random_head, write_clip
from assay_training.clip_scorers.export import cut_of
from assay_training.clip_scorers.package import Sources, prepare
from assay_training.clip_scorers.presets import PRESETS
from assay_training.parity import TINY_CLIP

PROMPTED = ("clip-score", "pickscore", "hps")


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A folder of OpenCLIP with a tokenizer, and the weights of a head beside it."""
    folder = write_clip(
        random_clip(replace(TINY_CLIP, activation="gelu"), 0), tmp_path_factory.mktemp("clip")
    )
    tiny_tokenizer(folder / "tokenizer.json", TINY_CLIP)
    torch.save(random_head(TINY_CLIP.joint, 0), folder / "head.pth")
    return folder


@pytest.fixture
def exported(monkeypatch):
    """What the graphs would be exported of; the export is tested in test_clip_scorers_convert."""
    seen = []

    def export_graphs(model, formula, aspects, work, most_bytes):
        seen.append((model, formula))
        return {}

    monkeypatch.setattr(package, "export_graphs", export_graphs)
    return seen


def made(preset, clip, work, **options):
    head = clip / "head.pth" if preset == "laion-aesthetic" else None
    return prepare(preset, Sources(clip, head=head), work, **options)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_row_becomes_a_manifest(preset, clip, tmp_path, exported):
    system = made(preset, clip, tmp_path)
    manifest, reads = system.manifest, preset in PROMPTED
    assert manifest["id"] == preset
    assert [link["graph"] for link in manifest["graphs"]] == ["image", *(["text"] if reads else []), "score"]
    assert (system.tokenizer is not None, system.mending is not None, manifest["text"] is not None) == (
        reads,
    ) * 3
    aspects = {name: aspect for name, aspect in manifest["aspects"].items() if aspect}
    assert tuple(sorted(aspects)) == tuple(sorted(PRESETS[preset].aspects))
    assert all(aspect["needsPrompt"] == reads for aspect in aspects.values())
    assert manifest["image"]["resize"] == ("contain" if preset == "hps" else "cover")
    assert sum(manifest["reward"]["weights"].values()) == 1
    for part in ("## Source and licence", "## Limits", "activation gelu"):
        assert part in system.card
    assert "{context}" not in system.card


def test_ranges_follow_the_formula_and_the_weights_own_scale(clip, tmp_path, exported):
    def ends(preset):
        aspects = made(preset, clip, tmp_path).manifest["aspects"]
        return next(aspect["range"] for aspect in aspects.values() if aspect)

    assert ends("clip-score") == [0, 1.25]
    assert ends("hps") == [0, 0.5]
    assert ends("pickscore") == pytest.approx([0, 6], abs=1e-3)  # half of the scale, 12
    assert ends("clip-iqa") == [0, 1]
    assert ends("laion-aesthetic") == [1, 10]


def test_clip_score_asks_with_the_papers_words(clip, tmp_path, exported):
    assert made("clip-score", clip, tmp_path).manifest["graphs"][1]["texts"] == ["A photo depicts {prompt}"]
    assert made("hps", clip, tmp_path).manifest["graphs"][1]["texts"] == ["{prompt}"]


def test_antonyms_are_constants_and_their_shares_a_softmax(clip, tmp_path, exported):
    made("clip-iqa", clip, tmp_path)
    model, formula = exported[0]
    texts = ["Good photo.", "Bad photo.", "Natural photo.", "Synthetic photo."]
    ids = encode(open_tokenizer(clip / "tokenizer.json"), texts, TINY_CLIP.context)
    meant, seen = unit(model.encode_text(torch.from_numpy(ids))), unit(torch.randn(3, TINY_CLIP.joint))
    shares = (12 * seen @ meant.T).unflatten(1, (2, 2)).softmax(-1)[..., 0]
    torch.testing.assert_close(formula(seen), shares, atol=1e-5, rtol=0)
    assert shares.std() > 0.02


def test_layers_of_the_head_are_one(clip):
    state, single = random_head(TINY_CLIP.joint, 0), load_head(clip / "head.pth", TINY_CLIP.joint)
    feature = unit(torch.randn(4, TINY_CLIP.joint))
    wanted = feature
    for number in (0, 2, 4, 6, 7):
        wanted = wanted @ state[f"layers.{number}.weight"].T + state[f"layers.{number}.bias"]
    torch.testing.assert_close(single(feature), wanted, atol=1e-5, rtol=0)


def test_a_head_is_needed_by_one_row_alone(clip, tmp_path):
    with pytest.raises(CheckpointError, match=r"expected a checkpoint of its layers \(--head\), found none"):
        prepare("laion-aesthetic", Sources(clip), tmp_path)
    with pytest.raises(CheckpointError, match="hps: expected no --head"):
        prepare("hps", Sources(clip, head=clip / "head.pth"), tmp_path)
    with pytest.raises(ValueError, match=r"preset: expected one of clip-score, .* found clip-iqb"):
        prepare("clip-iqb", Sources(clip), tmp_path)


def test_heads_of_other_widths_and_other_files_are_named(clip, tmp_path):
    path = tmp_path / "head.pth"
    torch.save(random_head(16, 0), path)
    with pytest.raises(
        CheckpointError, match=rf"{path}: layers\.0\.weight: expected 32 columns, .* found 16"
    ):
        load_head(path, 32)
    torch.save({"weight": torch.ones(1, 32), "bias": torch.ones(1)}, path)
    with pytest.raises(
        CheckpointError, match=r"no aesthetic predictor: expected layers\.0\.weight \(1024, 32\)"
    ):
        load_head(path, 32)
    state = random_head(32, 0) | {"layers.2.weight": torch.ones(64, 1024)}
    torch.save(state, path)
    with pytest.raises(
        CheckpointError, match=r"layers\.2\.weight: expected shape \(128, 1024\), found \(64, 1024\)"
    ):
        load_head(path, 32)


def test_a_missing_tokenizer_is_named_unless_none_is_read(clip, tmp_path, exported):
    folder = write_clip(random_clip(TINY_CLIP, 0), tmp_path / "bare")
    for preset in ("clip-score", "clip-iqa"):
        with pytest.raises(CheckpointError, match=rf"{folder}: no tokenizer; expected"):
            prepare(preset, Sources(folder), tmp_path / "work")
    assert prepare("clip-score", Sources(folder, tokenizer=clip), tmp_path / "work").tokenizer.is_file()
    prepare("laion-aesthetic", Sources(folder, head=clip / "head.pth"), tmp_path / "work")


def test_the_clip_of_another_scorer_is_named(clip, tmp_path):
    small = replace(TINY_CLIP, side=224, patch=32, width=768, layers=1, heads=12, text_layers=1)
    folder = write_clip(random_clip(small, 0), tmp_path / "clip")
    tiny_tokenizer(folder / "tokenizer.json", small)
    for preset, head, needed in (
        ("pickscore", None, "ViT-H/14"),
        ("laion-aesthetic", "head.pth", "ViT-L/14"),
    ):
        message = rf"{folder}: this is CLIP ViT-B/32; for {preset}, {needed} is needed"
        with pytest.raises(CheckpointError, match=message):
            prepare(preset, Sources(folder, head=clip / head if head else None), tmp_path / "work")


def test_a_scale_that_is_none_is_named(tmp_path):
    model = random_clip(TINY_CLIP, 0)
    model.logit_scale.fill_(100.0)
    folder = write_clip(model, tmp_path / "clip")
    tiny_tokenizer(folder / "tokenizer.json", TINY_CLIP)
    with pytest.raises(
        CheckpointError, match="logit_scale: expected the logarithm of a number up to 1000, found 100"
    ):
        prepare("pickscore", Sources(folder), tmp_path / "work")


def test_large_image_towers_are_cut_and_larger_ones_refused():
    model = random_clip(TINY_CLIP, 0)
    size = 4 * sum(value.numel() for value in model.visual.parameters())
    assert cut_of(model, size) is None
    assert cut_of(model, size - 4) == 2
    with pytest.raises(CheckpointError, match=r"expected at most .* which is what two ONNX files hold"):
        cut_of(model, size // 2 - 4)
