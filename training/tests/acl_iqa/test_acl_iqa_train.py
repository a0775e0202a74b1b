import csv
from dataclasses import replace

import numpy as np
import pytest
import torch

from acl_iqa.acl_iqa_world import SMALL, rated_images
from assay_training.acl_iqa.checkpoint import load_checkpoint
from assay_training.acl_iqa.train import Recipe, _Reverse, _Run, rate, train
from assay_training.checkpoints import CheckpointError
from assay_training.clip.model import Clip
from assay_training.clip.tokenizer import tiny_tokenizer
from assay_training.data import DataError, load_ratings
from assay_training.metrics import srcc

FAST = Recipe(epochs=24, batch=8, learning_rate=4e-3, gates=0.01, seed=0)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return rated_images(tmp_path_factory.mktemp("rated") / "data", 32)


def test_net_learns_32_images_by_heart(data, tmp_path, capsys):
    found = train(data, tmp_path, fold=None, config=SMALL, recipe=FAST)
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("epoch")]
    first, last = (float(line[line.index("own") + 1]) for line in (lines[0], lines[-1]))
    assert len(lines) == FAST.epochs and last < 0.4 * first
    ratings = load_ratings(data)
    run = _Run(ratings, np.ones(32, bool), tmp_path, None, SMALL, FAST, "cpu")
    run.model, without_effect = load_checkpoint(found, SMALL)
    assert srcc(run.predict(np.arange(32)), ratings.quality) > 0.9
    assert without_effect


def test_run_goes_on_where_it_stopped(data, tmp_path, monkeypatch):
    recipe = replace(FAST, epochs=2)
    whole = train(data, tmp_path / "whole", fold=1, config=SMALL, recipe=recipe)

    class Stopped(Exception):
        pass

    def stop(self, path, fold, save=_Run.save):
        save(self, path, fold)
        raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr(_Run, "save", stop)
        with pytest.raises(Stopped):
            train(data, tmp_path / "parts", fold=1, config=SMALL, recipe=recipe)
    parts = train(data, tmp_path / "parts", fold=1, config=SMALL, recipe=recipe)
    expected, found = (torch.load(path, weights_only=True)["model_state_dict"] for path in (whole, parts))
    assert all(torch.equal(value, found[key]) for key, value in expected.items())
    with (tmp_path / "parts" / "held-out.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == [f"{n}.png" for n in range(1, 32, 4)]
    with pytest.raises(CheckpointError, match="made with other settings"):
        train(data, tmp_path / "parts", fold=2, config=SMALL, recipe=recipe)


def test_run_starts_from_clip(data, tmp_path):
    torch.manual_seed(0)
    folder, clip = tmp_path / "clip", Clip(SMALL.clip)
    folder.mkdir()
    torch.save(clip.state_dict(), folder / "clip.pt")
    with pytest.raises(CheckpointError, match="no tokenizer"):
        train(data, tmp_path / "out", clip=folder / "clip.pt", config=SMALL, recipe=replace(FAST, epochs=0))
    tiny_tokenizer(folder / "tokenizer.json", SMALL.clip)
    found = train(
        data,
        tmp_path / "out",
        clip=folder / "clip.pt",
        config=SMALL,
        recipe=replace(FAST, epochs=0),
        fold=None,
    )
    net, _ = load_checkpoint(found, SMALL)
    assert torch.equal(net.proj_adv, clip.visual.proj)


@pytest.mark.parametrize("config", [SMALL, replace(SMALL, variant="conv-moe", task="alignment")])
def test_loss_terms_are_those_of_the_variant(data, tmp_path, config):
    run = _Run(load_ratings(data), np.ones(32, bool), tmp_path, None, config, FAST, "cpu")
    run.model.train()
    terms = run._terms(np.arange(4))
    two = config.variant == "acl"
    assert set(terms) == ({"own", "gates", "col", "adv"} if two else {"own", "gates"})
    assert all(0 < value < 10 for value in terms.values())
    if two:
        run.model.zero_grad()
        run._terms(np.arange(4))["col"].backward()
        assert run.model.proj_col.grad.abs().max() > 0 and run.model.proj_adv.grad is None


def test_adversarial_pass_learns_the_opposite(data, tmp_path, monkeypatch):
    run = _Run(load_ratings(data), np.ones(32, bool), tmp_path, None, SMALL, FAST, "cpu")
    run.model.train()

    def gradients() -> list[torch.Tensor]:
        run.rng = np.random.default_rng(0)
        torch.manual_seed(0)
        run.model.zero_grad()
        run._terms(np.arange(4))["adv"].backward()
        return [run.model.proj_adv.grad.clone(), run.model.logit_scale.grad.clone()]

    vision, scale = gradients()
    monkeypatch.setattr(_Reverse, "apply", lambda x: x)
    plain_vision, plain_scale = gradients()
    assert vision.abs().max() > 0
    torch.testing.assert_close(vision, -plain_vision)
    torch.testing.assert_close(scale, plain_scale)


def test_gradients_are_reversed():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    (_Reverse.apply(x) * torch.tensor([3.0, 4.0])).sum().backward()
    assert x.grad.tolist() == [-3, -4]


def test_learning_rate_descends_or_goes_up_and_down_without_zero():
    plain = [rate(epoch, Recipe(epochs=10)) for epoch in range(10)]
    assert plain[0] == 1 and plain[5] == pytest.approx(0.5) and plain == sorted(plain, reverse=True)
    wave = [round(rate(epoch, Recipe(sawtooth=True)), 3) for epoch in range(20)]
    down = [1, 0.905, 0.655, 0.345, 0.095]
    assert wave == down + down[:0:-1] + down + down[:0:-1] + down[:2]


def test_what_cannot_be_trained_is_named(data, tmp_path):
    config = replace(SMALL, task="authenticity", variant="conv-moe")
    with pytest.raises(DataError, match="no ratings of authenticity"):
        train(data, tmp_path, config=config)
    with pytest.raises(DataError, match=r"fold: expected 0\.\.4 or none, found 5"):
        train(data, tmp_path, config=SMALL, fold=5)
