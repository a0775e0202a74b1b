from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from assay_training.data import DataError
from assay_training.degrade import DEGRADATIONS
from assay_training.taught import corpus as collecting
from assay_training.taught import distil as training
from assay_training.taught import teacher as teaching
from assay_training.taught.corpus import Corpus, build_corpus, list_sources, picture
from assay_training.taught.distil import Recipe, distil, teacher_components
from assay_training.taught.model import SIDE, SPLIT, Backbone, to_input
from taught.taught_world import InlinePool, write_picture

TINY = Recipe(components=4, fitted_on=10, start_on=4, steps=4, batch=2, warmup=2, crops=(8, 12))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    """Two sheets of four and six single pictures."""
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(2):
        (folder / "sheets" / str(number)).mkdir(parents=True)
        write_picture(folder / "sheets" / str(number) / "sheet.png", number, 384)
    (folder / "single").mkdir()
    for number in range(6):
        write_picture(folder / "single" / f"{number}.png", 10 + number)
    (folder / "single" / "notes.txt").write_text("no picture")
    return folder


@pytest.fixture
def imagenet(net, monkeypatch) -> None:
    """Loading ImageNet weights gives those of `net`; one picture is held out."""
    monkeypatch.setattr(training, "HELD_OUT", 1)
    monkeypatch.setattr(Backbone, "load_imagenet", lambda self, path: self.load_state_dict(net.state_dict()))


@pytest.fixture(scope="module")
def corpus(pictures, net, teacher, tmp_path_factory) -> Corpus:
    work = tmp_path_factory.mktemp("corpus")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Backbone, "load_imagenet", lambda self, path: self.load_state_dict(net.state_dict()))
        patch.setattr(collecting, "ProcessPoolExecutor", InlinePool)
        return build_corpus(pictures, Path("weights.pth"), teacher, work, workers=2)


def test_sources_are_quarters_and_singles_and_every_second_one_degraded(pictures):
    sources = list_sources(pictures)
    plain = [source for source in sources if source.damage is None]
    assert (len(plain), len(sources)) == (14, 21)
    assert [source.quarter for source in plain[:5]] == [(0, 0), (1, 0), (0, 1), (1, 1), (0, 0)]
    assert [source.damage for source in sources[14:]] == list(DEGRADATIONS)[:7]
    sheet = np.asarray(picture(replace(plain[2], quarter=None), 0))
    np.testing.assert_array_equal(np.asarray(picture(plain[2], 2)), sheet[192:, :192])


@pytest.mark.parametrize("count", [1, 2, 3, 14])
def test_undamaged_pictures_are_told_by_their_place(tmp_path, count):
    (tmp_path / "single").mkdir()
    for number in range(count):
        (tmp_path / "single" / f"{number}.png").touch()
    sources = list_sources(tmp_path)
    pixels = np.array([source.damage is None for source in sources])
    nothing = np.zeros(len(pixels))
    found = Corpus(pixels, nothing, nothing, nothing).undamaged(len(pixels))
    assert len(found) == count
    assert found.all()


def test_folder_without_pictures_is_named(tmp_path):
    with pytest.raises(DataError, match=r"no pictures; expected sheets/"):
        list_sources(tmp_path)


def test_corpus_holds_what_net_and_teacher_see(corpus, pictures, net, teacher):
    assert len(corpus) == 21
    source = list_sources(pictures)[16]
    image = picture(source, 16)
    seen = teaching.Teacher(teacher).statistics(np.asarray(image.resize((224, 224), 3)))
    np.testing.assert_allclose(corpus.targets[16], seen.ravel(), atol=1e-5)
    np.testing.assert_array_equal(corpus.pixels[16], np.asarray(image.resize((SIDE, SIDE), 3)))
    with torch.inference_mode():
        early, stats = net.early(to_input(np.array(corpus.pixels[16:17])))
    np.testing.assert_allclose(corpus.stats[16], stats[0].numpy(), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(corpus.early[16], early[0].permute(1, 2, 0).numpy(), rtol=1e-3, atol=1e-3)


def test_components_have_mean_variance_one_and_are_uncorrelated():
    targets = np.random.default_rng(0).normal(size=(60, 40)).astype(np.float32) @ np.diag(np.arange(1, 41))
    found = teacher_components(targets.astype(np.float32), np.arange(60), 5).numpy()
    assert found.shape == (60, 5)
    assert found.var(0).mean() == pytest.approx(1, rel=1e-3)
    np.testing.assert_allclose(np.corrcoef(found.T), np.eye(5), atol=1e-2)


def test_interrupted_training_ends_with_the_same_net(corpus, imagenet, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "SAVE_STEPS", 2)
    whole = distil(corpus, Path(), tmp_path / "whole.pt", TINY, threads=1)

    step = training._Run.train_step
    monkeypatch.setattr(training._Run, "train_step", lambda run: step(run) if run.step < 3 else 1 / 0)
    with pytest.raises(ZeroDivisionError):
        distil(corpus, Path(), tmp_path / "parts.pt", TINY, threads=1)
    assert torch.load(tmp_path / "parts.pt", weights_only=True)["step"] == 2
    monkeypatch.setattr(training._Run, "train_step", step)
    parts = distil(corpus, Path(), tmp_path / "parts.pt", TINY, threads=1)

    for name, value in whole.state_dict().items():
        torch.testing.assert_close(parts.state_dict()[name], value, rtol=0, atol=0, msg=name)
    assert not whole.training


def test_only_the_late_half_moves(corpus, imagenet, net):
    run = training._Run(corpus, Path(), TINY)
    for _ in range(2):
        run.train_step()
    for found in (run.net.state_dict(), run.average):
        for name, value in net.state_dict().items():
            part, number = name.split(".")[:2]
            late = part == "head" or (part == "blocks" and int(number) >= SPLIT)
            assert torch.equal(found[name], value) != late, name


def test_linear_layer_starts_from_ridge_regression(corpus, imagenet):
    run = training._Run(corpus, Path(), replace(TINY, ridge=1.0))
    run.held_out = run.rows[: TINY.start_on]  # what the regression saw
    assert run.held_out_error() < 0.1


def test_checkpoint_of_other_settings_is_refused(corpus, imagenet, tmp_path):
    distil(corpus, Path(), tmp_path / "student.pt", replace(TINY, steps=1), threads=1)
    with pytest.raises(ValueError, match=r"student\.pt: made with other settings .*delete it or use another"):
        distil(corpus, Path(), tmp_path / "student.pt", replace(TINY, steps=1, seed=1), threads=1)


def test_teacher_gives_class_token_mean_and_deviation_of_each_tap(teacher):
    pixels = np.random.default_rng(0).integers(0, 256, (teaching.SIDE, teaching.SIDE, 3), np.uint8)
    judge = teaching.Teacher(teacher)
    found = judge.statistics(pixels)
    assert found.shape == (len(teaching.TAPS), teaching.STATISTICS)
    assert judge.names[0] == "/vision_model/encoder/layers.3/Add_1_output_0"
    scaled = (pixels / 255 - teaching.MEAN) / np.array(teaching.DEVIATION)
    (tokens,) = judge.session.run(
        ["last_hidden_state"], {"pixel_values": scaled.transpose(2, 0, 1)[None].astype(np.float32)}
    )[0]
    expected = np.concatenate([tokens[0], tokens[1:].mean(0), tokens[1:].std(0)])
    np.testing.assert_allclose(found[-1], expected, atol=1e-4)
    assert np.abs(np.diff(found, axis=0)).mean(1).min() > 0.01


def test_teacher_that_is_no_onnx_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"missing\.onnx: cannot be read as ONNX"):
        teaching.Teacher(tmp_path / "missing.onnx")
    (tmp_path / "teacher.onnx").write_bytes(b"PK\x03\x04 not a graph")
    with pytest.raises(DataError, match=r"teacher\.onnx: cannot be read as ONNX"):
        teaching.Teacher(tmp_path / "teacher.onnx")
    (tmp_path / "empty.onnx").write_bytes(b"")
    with pytest.raises(
        DataError, match=r"empty\.onnx: no CLIP ViT-B/16 image tower: the graph has no output"
    ):
        teaching.Teacher(tmp_path / "empty.onnx")


def test_teacher_without_an_expected_node_is_named(teacher, tmp_path):
    model = onnx.load(teacher)
    name = f"/{teaching.PREFIX}/encoder/layers.6/Add_1_output_0"
    for node in model.graph.node:
        node.input[:] = ["other" if value == name else value for value in node.input]
        node.output[:] = ["other" if value == name else value for value in node.output]
    onnx.save(model, tmp_path / "other.onnx")
    with pytest.raises(DataError, match=rf"other\.onnx: no CLIP ViT-B/16 image tower: node output {name} is"):
        teaching.Teacher(tmp_path / "other.onnx")
