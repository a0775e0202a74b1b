"""Fine-tunes the late half of the net on cached features of the frozen half.

Expected: about 8 minutes per net (8 epochs, 1,905 images, one thread of a 2.1 GHz Xeon with AVX-512).
"""

from __future__ import annotations

import copy
import math
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from assay_training.data import Ratings
from assay_training.descriptions import description_vectors
from assay_training.lite.cache import MIRRORED, PLAIN, STRONG, WEAK, Cache
from assay_training.lite.config import Config
from assay_training.lite.losses import order_loss, plcc_loss, rank_loss
from assay_training.lite.model import LiteNet
from assay_training.lite.nets import initial_net, load_net, predict, write_state
from assay_training.metrics import srcc
from assay_training.ridge import ridge


def train(
    rows: np.ndarray,
    held_out: np.ndarray,
    ratings: Ratings,
    cache: Cache,
    weights: Path,
    folder: Path,
    config: Config,
) -> LiteNet:
    """Trains on `rows`, prints the correlation on `held_out` (its only use), returns the averaged net.

    Writes `folder`/checkpoint.pt after each epoch, resumes from it, and ends with `folder`/net.pt.
    """
    final = folder / "net.pt"
    if final.exists():
        return load_net(final)
    folder.mkdir(parents=True, exist_ok=True)
    run = _Run(rows, ratings, cache, weights, config)
    run.restore(folder / "checkpoint.pt")
    while run.epoch < config.epochs:
        started = time.monotonic()
        losses = run.train_epoch()
        run.save(folder / "checkpoint.pt")
        message = " ".join(f"{name} {value:.3f}" for name, value in losses.items())
        print(f"{folder.name} epoch {run.epoch}: {message} ({time.monotonic() - started:.0f} s)", flush=True)
        if len(held_out) and (run.epoch % 4 == 0 or run.epoch == config.epochs):
            means, _ = predict(run.average, cache, held_out)
            found = [srcc(means[:, k], ratings.targets()[held_out, k]) for k in (0, 1)]
            print(
                f"{folder.name} held-out SRCC: quality {found[0]:.4f}, alignment {found[1]:.4f}",
                flush=True,
            )
    write_state({"net": run.average.state_dict(), "config": asdict(config), "seconds": run.seconds}, final)
    return load_net(final)


class _Run:
    """Everything that changes while a net is trained."""

    def __init__(
        self, rows: np.ndarray, ratings: Ratings, cache: Cache, weights: Path, config: Config
    ) -> None:
        torch.manual_seed(config.seed)
        self.rows, self.cache, self.config = rows, cache, config
        self.rng = np.random.default_rng(config.seed)
        self.targets = torch.from_numpy(ratings.targets())
        self.unit = self.targets[torch.from_numpy(rows)].std(0)  # MOS per unit of the losses
        self.net = initial_net(rows, ratings, cache, weights, config.ridge)
        self.average = copy.deepcopy(self.net)
        self.describe, self.texts = _description_head(rows, ratings, cache, config)
        groups = _groups([self.net, self.describe], config.weight_decay)
        self.optimizer = torch.optim.AdamW(groups, lr=config.learning_rate)
        self.steps_per_epoch = len(rows) // config.batch
        self.epoch, self.step, self.seconds = 0, 0, 0.0

    def train_epoch(self) -> dict[str, float]:
        """One pass over the rows; returns the mean of each loss term."""
        started = time.monotonic()
        self.net.train()
        order = self.rng.permutation(self.rows)
        sums: dict[str, float] = {}
        for index in range(self.steps_per_epoch):
            batch = order[index * self.config.batch : (index + 1) * self.config.batch]
            for name, value in self._train_step(batch).items():
                sums[name] = sums.get(name, 0.0) + value / self.steps_per_epoch
        self.epoch += 1
        self.seconds += time.monotonic() - started
        return sums

    def _train_step(self, batch: np.ndarray) -> dict[str, float]:
        config, count = self.config, len(batch)
        early, stats = self._crops(batch)
        target, texts = self.targets[batch] / self.unit, self.texts[batch]
        features = self.net.features(early, stats)
        means = self.net.mean(features) / self.unit
        terms = self._terms(means[:count], target)
        if config.text:
            terms["text"] = F.mse_loss(self.describe(features[:count]), texts)
        if config.degraded:
            plain, weak, strong = means[: config.degraded, 0], *means[count:, 0].chunk(2)
            terms["order"] = order_loss(plain, weak) + order_loss(weak, strong)
        weights = {
            "huber": 1.0,
            "rank": config.rank,
            "plcc": config.plcc,
            "order": config.order,
            "text": config.text,
        }
        loss = sum(weights[name] * value for name, value in terms.items())
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), config.clip)
        self.optimizer.step()
        self.step += 1
        self._update_average()
        return {name: value.item() for name, value in terms.items()}

    def _terms(self, means: Tensor, target: Tensor) -> dict[str, Tensor]:
        """The loss terms of the plain images: means and target [N, 2] in loss units."""
        return {
            "huber": F.huber_loss(means, target, delta=self.config.huber) * means.shape[1],
            "rank": sum(rank_loss(means[:, k], target[:, k]) for k in range(means.shape[1])),
            "plcc": sum(plcc_loss(means[:, k], target[:, k]) for k in range(means.shape[1])),
        }

    def _crops(self, batch: np.ndarray) -> tuple[Tensor, Tensor]:
        """Random crops of the batch, then of degraded copies of its first images (weak, then strong).

        The first images are taken as they are and share the crop with their copies. Early statistics are
        those of the whole view.
        """
        side = int(self.rng.choice(self.config.crops))
        corners = self.rng.integers(0, 40 - side + 1, (len(batch), 2))
        views = self.rng.choice([PLAIN, MIRRORED], len(batch))
        views[: self.config.degraded] = PLAIN
        paired = np.arange(self.config.degraded)
        index = np.concatenate([np.arange(len(batch)), paired, paired])
        views = np.concatenate([views, np.full_like(paired, WEAK), np.full_like(paired, STRONG)])
        maps = np.stack(
            [
                self.cache.early[batch[i], view, top : top + side, left : left + side]
                for i, view, (top, left) in zip(index, views, corners[index], strict=True)
            ]
        )
        stats = self.cache.stats[batch[index], views]
        return torch.from_numpy(maps).permute(0, 3, 1, 2).float(), torch.from_numpy(stats)

    def _rate(self) -> float:
        config, total = self.config, self.config.epochs * self.steps_per_epoch
        cosine = 0.5 * (1 + math.cos(math.pi * self.step / total))
        warm = min(1.0, (self.step + 1) / config.warmup)
        return config.learning_rate * warm * (config.final_rate + (1 - config.final_rate) * cosine)

    def _update_average(self) -> None:
        decay = min(self.config.ema, self.step / (self.step + 10))
        with torch.no_grad():
            for mean, value in zip(self.average.parameters(), self.net.parameters(), strict=True):
                mean.lerp_(value, 1 - decay)

    def save(self, path: Path) -> None:
        state = {name: getattr(self, name) for name in ("epoch", "step", "seconds")}
        state |= {
            name: getattr(self, name).state_dict() for name in ("net", "average", "describe", "optimizer")
        }
        state |= {
            "numpy": self.rng.bit_generator.state,
            "torch": torch.get_rng_state(),
            "config": asdict(self.config),
        }
        write_state(state, path)

    def restore(self, path: Path) -> None:
        """Continues from a checkpoint, if any; raises ValueError if it was made with other settings."""
        if not path.exists():
            return
        state = torch.load(path, weights_only=True)
        if state["config"] != asdict(self.config):
            raise ValueError(
                f"{path}: made with other settings ({state['config']}); delete it or use another --work"
            )
        self.epoch, self.step, self.seconds = state["epoch"], state["step"], state["seconds"]
        for name in ("net", "average", "describe", "optimizer"):
            getattr(self, name).load_state_dict(state[name])
        self.rng.bit_generator.state = state["numpy"]
        torch.set_rng_state(state["torch"])
        print(f"{path.parent.name}: continues after epoch {self.epoch}", flush=True)


def _description_head(
    rows: np.ndarray, ratings: Ratings, cache: Cache, config: Config
) -> tuple[torch.nn.Linear, Tensor]:
    """A linear layer from features to description vectors, used only during training, and its targets."""
    if not config.text:
        return torch.nn.Linear(1, 1), torch.zeros(len(ratings), 1)
    vectors = description_vectors(ratings, rows, config.text_size)
    fit = ridge(cache.frozen[rows], vectors[rows], config.ridge)
    layer = torch.nn.Linear(fit.weight.shape[1], config.text_size)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(fit.weight))
        layer.bias.copy_(torch.from_numpy(fit.bias))
    return layer, torch.from_numpy(vectors)


def _groups(modules: list[torch.nn.Module], decay: float) -> list[dict]:
    """Optimiser groups: weight decay for matrices and kernels, none for biases."""
    trained = [value for module in modules for value in module.parameters() if value.requires_grad]
    return [
        {"params": [value for value in trained if value.ndim > 1], "weight_decay": decay},
        {"params": [value for value in trained if value.ndim <= 1], "weight_decay": 0.0},
    ]
