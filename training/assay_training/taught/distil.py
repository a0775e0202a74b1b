"""Trains the late half to see what the teacher sees: regression on unrated pictures, resumable.

Feature distillation (FitNets, Romero et al., arXiv 1412.6550) of the teacher's pooled statistics, reduced to
their principal components. Ratings play no part, so one net serves every fold and every test of the protocol.
"""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from assay_training.taught.corpus import Corpus
from assay_training.taught.model import SIDE, STATS, Backbone

HELD_OUT = 240  # pictures of the corpus that only measure progress
SAVE_STEPS = 150
GRID = SIDE // 8  # side of the early map


@dataclass(frozen=True)
class Recipe:
    """How the net is trained; stored in every checkpoint."""

    seed: int = 0
    components: int = 256  # of the teacher's statistics
    fitted_on: int = 3000  # pictures that define the components
    start_on: int = 1400  # pictures for the ridge regression that the linear layer starts from
    ridge: float = 1500.0
    steps: int = 900
    batch: int = 24
    learning_rate: float = 3e-4  # half of it for the linear layer
    final_rate: float = 0.03  # the cosine ends at this share of the learning rate
    warmup: int = 50
    weight_decay: float = 0.01  # none on biases
    dropout: float = 0.1
    crops: tuple[int, ...] = (32, 36, 40)  # sides of crops of the early map, of 40
    clip: float = 2.0  # gradient norm
    average: float = 0.99  # decay of the averaged weights, which are the result


def distil(corpus: Corpus, weights: Path, path: Path, recipe: Recipe, threads: int) -> Backbone:
    """Trains until `recipe.steps`, saving `path` along the way; returns the averaged net."""
    torch.set_num_threads(threads)
    path.parent.mkdir(parents=True, exist_ok=True)
    run = _Run(corpus, weights, recipe)
    run.restore(path)
    while run.step < recipe.steps:
        started, losses = time.monotonic(), []
        while len(losses) < SAVE_STEPS and run.step < recipe.steps:
            losses.append(run.train_step())
        run.seconds += time.monotonic() - started
        error = run.held_out_error()  # draws random numbers, so it comes before the state is saved
        run.save(path)
        print(f"distil: step {run.step}, loss {np.mean(losses):.4f}, held out {error:.4f}", flush=True)
    return load_student(path)


def load_student(path: Path) -> Backbone:
    """The averaged backbone of a checkpoint, in evaluation mode."""
    backbone = Backbone().to(memory_format=torch.channels_last)
    backbone.load_state_dict(torch.load(path, weights_only=True)["average"])
    return backbone.eval()


def teacher_components(targets: np.ndarray, rows: np.ndarray, count: int) -> Tensor:
    """[N, count]: principal components of standardised statistics [N, D], found on `rows`.

    Each is divided by the root of its deviation, halfway to whitening, so that small ones count, too; the
    mean variance is 1.
    """
    part = np.asarray(targets[np.sort(rows)])
    centre, scale = part.mean(0), part.std(0) + 1e-3
    part = (part - centre) / scale
    values, vectors = np.linalg.eigh((part @ part.T).astype(np.float64))
    count = min(count, len(part) - 1)
    axes = part.T @ (vectors[:, ::-1][:, :count] / np.sqrt(values[::-1][:count])).astype(np.float32)
    found = np.concatenate([(chunk - centre) / scale @ axes for chunk in np.array_split(targets, 16)])
    found /= np.sqrt(found.std(0))
    return torch.from_numpy(found / np.sqrt(found.var(0).mean()))


class _Run:
    """Everything that changes during training."""

    def __init__(self, corpus: Corpus, weights: Path, recipe: Recipe) -> None:
        torch.manual_seed(recipe.seed)
        self.corpus, self.recipe = corpus, recipe
        self.rng = np.random.default_rng(recipe.seed)
        order = self.rng.permutation(len(corpus))
        held_out = min(HELD_OUT, len(order) // 4)
        self.held_out, self.rows = np.sort(order[:held_out]), order[held_out:]
        self.targets = teacher_components(corpus.targets, self.rows[: recipe.fitted_on], recipe.components)
        self.net = Backbone().to(memory_format=torch.channels_last)
        self.net.load_imagenet(weights)
        self.net.requires_grad_(False)
        for value in self.net.late_parameters():
            value.requires_grad_(True)
        self.linear, self.centre, self.scale = self._start()
        self.average = {name: value.clone() for name, value in self.net.state_dict().items()}
        self.average_linear = {name: value.clone() for name, value in self.linear.state_dict().items()}
        late, recipe_rate = self.net.late_parameters(), recipe.learning_rate
        groups = [
            {"params": [v for v in late if v.ndim > 1], "weight_decay": recipe.weight_decay, "share": 1.0},
            {"params": [v for v in late if v.ndim <= 1], "weight_decay": 0.0, "share": 1.0},
            {"params": [self.linear.weight], "weight_decay": recipe.weight_decay, "share": 0.5},
            {"params": [self.linear.bias], "weight_decay": 0.0, "share": 1.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=recipe_rate)
        self.step, self.seconds = 0, 0.0

    def _start(self) -> tuple[nn.Linear, Tensor, Tensor]:
        """Linear layer by ridge regression on the untouched net, and the standardisation of its inputs."""
        rows = self.rows[: self.recipe.start_on]
        with torch.no_grad():
            parts = [
                self._statistics(self.net, part, GRID)
                for part in np.array_split(rows, max(1, len(rows) // 24))
            ]
        found = torch.cat(parts)
        centre, scale = found.mean(0), found.std(0) + 1e-6
        z, wanted = ((found - centre) / scale).double(), self.targets[rows]
        dual = torch.linalg.solve(
            z @ z.T + self.recipe.ridge * torch.eye(len(z)), (wanted - wanted.mean(0)).double()
        )
        linear = nn.Linear(STATS, wanted.shape[1])
        with torch.no_grad():
            linear.weight.copy_((z.T @ dual).T)
            linear.bias.copy_(wanted.mean(0))
        return linear, centre, scale

    def train_step(self) -> float:
        recipe = self.recipe
        rows = self.rng.choice(self.rows, recipe.batch, replace=len(self.rows) < recipe.batch)
        found = self._statistics(self.net, rows, int(self.rng.choice(recipe.crops)), mirror=True)
        features = F.dropout((found - self.centre) / self.scale, recipe.dropout)
        loss = F.mse_loss(self.linear(features), self.targets[rows])
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate() * group["share"]
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        trained = [*self.net.late_parameters(), *self.linear.parameters()]
        torch.nn.utils.clip_grad_norm_(trained, recipe.clip)
        self.optimizer.step()
        self.step += 1
        self._update_average()
        return loss.item()

    @torch.no_grad()
    def held_out_error(self) -> float:
        """Mean squared error of the averaged net on held-out pictures; 1 is what a constant reaches."""
        net, linear = (
            Backbone().to(memory_format=torch.channels_last),
            nn.Linear(STATS, self.targets.shape[1]),
        )
        net.load_state_dict(self.average)
        linear.load_state_dict(self.average_linear)
        errors = []
        for part in np.array_split(self.held_out, max(1, len(self.held_out) // 24)):
            features = (self._statistics(net, part, GRID) - self.centre) / self.scale
            errors.append((linear(features) - self.targets[part]).square().mean(1))
        return torch.cat(errors).mean().item()

    def _statistics(self, net: Backbone, rows: np.ndarray, side: int, mirror: bool = False) -> Tensor:
        """[len(rows), STATS] of random crops of cached maps; with `mirror`, every second one mirrored."""
        corners = (
            self.rng.integers(0, GRID - side + 1, (len(rows), 2))
            if side < GRID
            else np.zeros((len(rows), 2), int)
        )
        maps = np.stack(
            [
                self.corpus.early[row, top : top + side, left : left + side]
                for row, (top, left) in zip(rows, corners, strict=True)
            ]
        )
        if mirror:
            maps[::2] = maps[::2, :, ::-1]
        late = net.late(torch.from_numpy(maps).permute(0, 3, 1, 2).float())
        return torch.cat([torch.from_numpy(self.corpus.stats[rows]), late], 1)

    def _rate(self) -> float:
        recipe = self.recipe
        cosine = 0.5 * (1 + math.cos(math.pi * self.step / recipe.steps))
        warm = min(1.0, (self.step + 1) / recipe.warmup)
        return recipe.learning_rate * warm * (recipe.final_rate + (1 - recipe.final_rate) * cosine)

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = min(self.recipe.average, self.step / (self.step + 10))
        for average, module in ((self.average, self.net), (self.average_linear, self.linear)):
            for name, value in module.state_dict().items():
                average[name].lerp_(value, 1 - decay)

    PARTS = ("net", "linear", "optimizer")

    def save(self, path: Path) -> None:
        """Writes a checkpoint so that a crash leaves either the old file or the new one."""
        state = {name: getattr(self, name).state_dict() for name in self.PARTS}
        state |= {
            "average": self.average,
            "averageLinear": self.average_linear,
            "recipe": asdict(self.recipe),
        }
        state |= {"step": self.step, "seconds": self.seconds, "numpy": self.rng.bit_generator.state}
        state["torch"] = torch.get_rng_state()
        temporary = path.with_suffix(".tmp")
        torch.save(state, temporary)
        temporary.replace(path)

    def restore(self, path: Path) -> None:
        """Continues from a checkpoint, if any; raises ValueError if it was made with other settings."""
        if not path.exists():
            return
        state = torch.load(path, weights_only=True)
        if state["recipe"] != asdict(self.recipe):
            raise ValueError(
                f"{path}: made with other settings ({state['recipe']}); delete it or use another --work"
            )
        for name in self.PARTS:
            getattr(self, name).load_state_dict(state[name])
        self.average, self.average_linear = state["average"], state["averageLinear"]
        self.step, self.seconds = state["step"], state["seconds"]
        self.rng.bit_generator.state = state["numpy"]
        torch.set_rng_state(state["torch"])
        print(f"distil: continues after step {self.step}", flush=True)
