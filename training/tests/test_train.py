import json

import numpy as np
import pytest
import torch

from assay_training.data import DataError, load_ratings
from assay_training.descriptions import description_vectors
from assay_training.lite import cache as caching
from assay_training.lite import train as training
from assay_training.lite.config import Config
from assay_training.lite.losses import order_loss, plcc_loss, rank_loss
from assay_training.lite.model import STATS, Backbone, LiteNet
from assay_training.lite.nets import initial_net
from assay_training.lite.spread import fit_spread
from assay_training.ridge import ridge

TINY = Config(epochs=2, batch=6, degraded=2, crops=(24,), text=0.0)


def test_losses_prefer_the_right_order():
    target = torch.tensor([0.0, 1.0, 2.0])
    assert rank_loss(target, target) < rank_loss(-target, target)
    assert plcc_loss(3 * target + 1, target) == pytest.approx(0, abs=1e-6)
    assert plcc_loss(-target, target) == pytest.approx(2, abs=1e-6)


def test_order_loss_stops_pulling_once_pairs_are_apart():
    assert order_loss(torch.tensor([1.0, 2.0]), torch.tensor([0.5, 1.5])) == 0
    assert order_loss(torch.tensor([1.0]), torch.tensor([1.5])) == pytest.approx(0.6)


def test_ridge_finds_a_linear_rule():
    rng = np.random.default_rng(0)
    x = rng.normal(3, 2, (200, 5))
    y = x[:, :2] @ np.array([[1.0, 0.0], [-2.0, 1.0]]) + 4
    np.testing.assert_allclose(ridge(x, y, 1e-6).predict(x), y, atol=1e-3)


def test_spread_follows_the_size_of_errors():
    torch.manual_seed(0)
    net, inputs = LiteNet(), torch.randn(300, STATS)
    errors = torch.where(inputs[:, :1] > 0, 0.6, 0.2).expand(-1, 2)
    fit_spread(net, inputs, errors, decay=0.3)
    spreads = net.spreads(inputs).detach()
    assert spreads[inputs[:, 0] > 1].mean() > 1.3 * spreads[inputs[:, 0] < -1].mean()
    assert (spreads >= net.FLOOR).all()


@pytest.fixture
def tiny(data, tmp_path, monkeypatch):
    """Ratings and cache of the tiny data set; the backbone keeps random but fixed weights."""

    def fixed_weights(self, path):
        generator = torch.Generator().manual_seed(0)
        for conv in self.convolutions():
            conv.weight.data.normal_(0, (2 / conv.weight[0].numel()) ** 0.5, generator=generator)
            conv.bias.data.zero_()

    monkeypatch.setattr(Backbone, "load_tflite", fixed_weights)
    ratings, folder = load_ratings(data), tmp_path / "cache"
    folder.mkdir()
    for name, (shape, dtype) in caching.SHAPES.items():
        np.lib.format.open_memmap(folder / f"{name}.npy", "w+", dtype, (len(ratings), *shape))
    caching._fill(ratings, tmp_path, folder, np.arange(len(ratings)))
    return ratings, caching.open_cache(folder)


def test_interrupted_training_ends_with_the_same_net(tiny, tmp_path, monkeypatch):
    ratings, cache = tiny
    rows = np.flatnonzero(ratings.fold != 0)
    arguments = (rows, np.array([], int), ratings, cache, tmp_path)
    whole = training.train(*arguments, tmp_path / "whole", TINY)

    epoch = training._Run.train_epoch
    monkeypatch.setattr(training._Run, "train_epoch", lambda run: epoch(run) if run.epoch < 1 else 1 / 0)
    with pytest.raises(ZeroDivisionError):
        training.train(*arguments, tmp_path / "parts", TINY)
    monkeypatch.setattr(training._Run, "train_epoch", epoch)
    parts = training.train(*arguments, tmp_path / "parts", TINY)

    for name, value in whole.state_dict().items():
        torch.testing.assert_close(parts.state_dict()[name], value, rtol=0, atol=0, msg=name)
    stem = initial_net(rows, ratings, cache, tmp_path, 1.0).backbone.stem.weight
    torch.testing.assert_close(whole.backbone.stem.weight, stem)  # the frozen half did not move


def test_checkpoint_of_other_settings_is_refused(tiny, tmp_path):
    ratings, cache = tiny
    rows = np.flatnonzero(ratings.fold != 0)
    run = training._Run(rows, ratings, cache, tmp_path, TINY)
    run.save(tmp_path / "checkpoint.pt")
    other = training._Run(rows, ratings, cache, tmp_path, Config(epochs=5, text=0.0))
    with pytest.raises(ValueError, match="made with other settings"):
        other.restore(tmp_path / "checkpoint.pt")


def test_missing_descriptions_are_named(data):
    ratings = load_ratings(data)
    with pytest.raises(DataError, match=r"descriptions\.jsonl: file not found"):
        description_vectors(ratings, np.arange(10), 2)


def test_description_vectors_are_standardised_on_training_rows(data, monkeypatch):
    monkeypatch.setattr("assay_training.descriptions.MIN_IMAGES", 2)
    ratings, words = load_ratings(data), ("blurry", "sharp", "noisy", "clean", "odd")
    lines = [
        {"name": str(name), "quality": f"{words[i % 5]} and {words[i % 3]}", "alignment": words[i % 4]}
        for i, name in enumerate(ratings.name)
    ]
    (data / "descriptions.jsonl").write_text("\n".join(map(json.dumps, lines)))
    rows = np.flatnonzero(ratings.fold != 0)
    vectors = description_vectors(ratings, rows, 3)
    assert vectors.shape == (15, 3)
    np.testing.assert_allclose(vectors[rows].std(0), 1, rtol=1e-4)
    with pytest.raises(DataError, match="no description of"):
        (data / "descriptions.jsonl").write_text(json.dumps(lines[0]))
        description_vectors(ratings, rows, 3)
