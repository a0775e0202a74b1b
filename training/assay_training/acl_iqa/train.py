"""Trains ACL-IQA on AGIQA-3K, one fold of prompts held out.

The loss is the distance of the score to the rating, half that of the collaborative pass to the other rating
on the other task's texts, half that of the adversarial pass to it behind a gradient reversal, and the gates'
loss.
"""

from __future__ import annotations

import csv
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from assay_training.acl_iqa.checkpoint import from_clip, write_checkpoint
from assay_training.acl_iqa.config import AclConfig
from assay_training.acl_iqa.model import AclIqa, score_of
from assay_training.acl_iqa.views import spread_views, training_views
from assay_training.checkpoints import CheckpointError
from assay_training.clip.model import normalised, unit
from assay_training.clip.tokenizer import encode, open_tokenizer, tiny_tokenizer, write_tokenizer
from assay_training.data import FOLDS, DataError, Ratings, load_ratings
from assay_training.images import load_rgb
from assay_training.metrics import plcc, srcc

OTHER = {"quality": "alignment", "alignment": "quality"}
READERS = 4  # threads that decode images


@dataclass(frozen=True)
class Recipe:
    """Settings of one run; defaults are upstream's, except for the schedule.

    sawtooth: the learning rate follows a cosine down and up again with a half period of `period` epochs, and
    the epoch in which it would be zero is left out (upstream). Otherwise one cosine leads down over all
    epochs.
    """

    epochs: int = 200
    batch: int = 16
    learning_rate: float = 5e-6
    weight_decay: float = 1e-3
    sawtooth: bool = False
    period: int = 5
    other: float = 0.5  # weight of each of the two losses on the other rating
    gates: float = 1.0  # weight of the loss that balances the experts
    seed: int = 20200626


def train(
    data: Path,
    out: Path,
    *,
    clip: Path | None = None,
    fold: int | None = 0,
    config: AclConfig | None = None,
    recipe: Recipe | None = None,
    device: str = "cpu",
) -> Path:
    """Trains and returns OUT/acl-iqa-<task>.pt, in upstream's layout.

    data: AGIQA-3K (ratings.csv, images/). clip: weights and tokenizer to start from; without it weights are
    random and the tokenizer has few merges. fold: 0..4, held out and only measured at the end
    (OUT/held-out.csv); None trains on everything. Continues from OUT/training.pt if there is one. Mixed
    precision on GPUs only.

    Raises DataError for data that cannot be used and CheckpointError for weights or a run that do not fit.
    """
    config, recipe = config or AclConfig(), recipe or Recipe()
    if config.task not in OTHER:
        raise DataError(f"{data}: no ratings of {config.task}; expected task {' or '.join(OTHER)}")
    if fold is not None and not 0 <= fold < FOLDS:
        raise DataError(f"fold: expected 0..{FOLDS - 1} or none, found {fold}")
    ratings = load_ratings(data)
    out.mkdir(parents=True, exist_ok=True)
    run = _Run(ratings, ratings.fold != fold, out, clip, config, recipe, device)
    run.restore(out / "training.pt", fold)
    while run.epoch < recipe.epochs:
        losses = run.train_epoch()
        run.save(out / "training.pt", fold)
        print(f"epoch {run.epoch}: " + " ".join(f"{k} {v:.3f}" for k, v in losses.items()), flush=True)
    final = out / f"acl-iqa-{config.task}.pt"
    write_checkpoint(run.model, final)
    held_out = np.flatnonzero(ratings.fold == fold)
    if len(held_out):
        _report(run, held_out, out / "held-out.csv")
    return final


def rate(epoch: int, recipe: Recipe) -> float:
    """Share of the learning rate in an epoch, counted from 0."""
    if not recipe.sawtooth:
        return 0.5 * (1 + math.cos(math.pi * epoch / recipe.epochs))
    step = epoch + (epoch + recipe.period - 1) // (
        2 * recipe.period - 1
    )  # zeros lie at odd multiples of the period
    return 0.5 * (1 + math.cos(math.pi * step / recipe.period))


class _Reverse(torch.autograd.Function):
    """The identity; gradients change their sign."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        return -gradient


class _Run:
    """Everything that changes while the net is trained, and the data it sees."""

    def __init__(
        self,
        ratings: Ratings,
        used: np.ndarray,
        out: Path,
        clip: Path | None,
        config: AclConfig,
        recipe: Recipe,
        device: str,
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.ratings, self.config, self.recipe, self.device = ratings, config, recipe, device
        self.rows, self.rng, self.epoch = np.flatnonzero(used), np.random.default_rng(recipe.seed), 0
        tokenizer = out / "tokenizer.json"
        if clip is None:
            tiny_tokenizer(tokenizer, config.clip)
        else:
            write_tokenizer(clip, tokenizer, config.clip)
        self.tokenizer = open_tokenizer(tokenizer)
        self.model = (AclIqa(config) if clip is None else from_clip(clip, config)).to(device)
        if clip is None:
            self._decide()
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        self.mixed = torch.device(device).type == "cuda"
        self.scaler = torch.amp.GradScaler("cuda", enabled=self.mixed)

    def _decide(self) -> None:
        """Random nets get small random experts and gates: there is nothing of CLIP's to preserve."""
        for name, value in self.model.named_parameters():
            if "w_gate" in name or name.endswith("adapter_up.weight"):
                torch.nn.init.normal_(value, std=0.02)

    def train_epoch(self) -> dict[str, float]:
        """One pass over the rows; returns the mean of each loss term."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.learning_rate * rate(self.epoch, self.recipe)
        self.model.train()
        order, sums = self.rng.permutation(self.rows), {}
        batches = [order[i : i + self.recipe.batch] for i in range(0, len(order), self.recipe.batch)]
        for rows in batches:
            terms = self._terms(rows)
            weights = {"own": 1.0, "gates": self.recipe.gates}
            loss = sum(weights.get(name, self.recipe.other) * value for name, value in terms.items())
            self.optimizer.zero_grad(set_to_none=True)
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()
            for name, value in terms.items():
                sums[name] = sums.get(name, 0.0) + value.item() * len(rows) / len(order)
        self.epoch += 1
        return sums

    def _terms(self, rows: np.ndarray) -> dict[str, Tensor]:
        """The loss terms of a batch. The other rating plays no part with a single path."""
        seeds = self.rng.integers(0, 2**63, len(rows))
        views = self._views(
            [(row, np.random.default_rng(seed)) for row, seed in zip(rows, seeds, strict=True)]
        )
        own, other = (self._rated(name, rows) for name in (self.config.task, OTHER[self.config.task]))
        with torch.autocast(torch.device(self.device).type, torch.float16, enabled=self.mixed):
            vectors, texts, losses = self._encode(views, rows)
            scores = self._scores(self.model.mixed_logits(vectors, texts))
            terms = {"own": F.l1_loss(scores, own), "gates": torch.stack(losses).sum()}
            if len(vectors) == 2:
                texts = self._graded(self.config.other_grades, rows)
                for name, v in (("col", vectors[0]), ("adv", _Reverse.apply(vectors[1]))):
                    terms[name] = F.l1_loss(self._scores(self.model.logits(v, texts)), other)
        return terms

    def _encode(
        self, views: tuple[Tensor, Tensor], rows: np.ndarray
    ) -> tuple[list[Tensor], Tensor, list[Tensor]]:
        """Embeddings of each path [n, C, joint], graded texts [n, 5, joint], the gates' losses."""
        windows, whole = views
        images = normalised(torch.cat([windows.float(), whole[:, None]], 1))
        passes = [
            self.model.encode_image(images, self._ids([template], rows)[:, 0], path)
            for template, path in zip(self.config.instructions, self.config.paths, strict=True)
        ]
        vectors, losses = ([one[k] for one in passes] for k in (0, 1))
        return vectors, self._graded(self.config.grades, rows), losses

    def _scores(self, logits: Tensor) -> Tensor:
        return score_of(self.model.probabilities(logits.float()))

    def _graded(self, templates: tuple[str, ...], rows: np.ndarray) -> Tensor:
        """[n, 5, joint] of length 1. Texts without a prompt are encoded once."""
        constant = not any("{prompt}" in template for template in templates)
        ids = self._ids(list(templates), rows[:1] if constant else rows)
        texts = unit(self.model.encode_text(ids.flatten(0, 1))).unflatten(0, (-1, len(templates)))
        return texts.expand(len(rows), -1, -1)

    def _ids(self, templates: list[str], rows: np.ndarray) -> Tensor:
        """[n, len(templates), context]."""
        texts = [t.replace("{prompt}", str(self.ratings.prompt[row])) for row in rows for t in templates]
        ids = encode(self.tokenizer, texts, self.config.clip.context)
        return torch.from_numpy(ids).unflatten(0, (len(rows), len(templates))).to(self.device)

    def _views(self, wanted: list[tuple[int, np.random.Generator | None]]) -> tuple[Tensor, Tensor]:
        """Windows [n, W, S, S, 3] and wholes [n, S, S, 3]; at random places where there is a generator."""

        def read(row: int, rng: np.random.Generator | None) -> tuple[Tensor, Tensor]:
            image, side = load_rgb(self.ratings.path(row)), self.config.clip.side
            if rng is None:
                return spread_views(image, side, self.config.views)
            return training_views(image, side, self.config.views, rng)

        with ThreadPoolExecutor(READERS) as pool:
            found = list(pool.map(lambda pair: read(*pair), wanted))
        windows, wholes = (torch.stack(part).to(self.device) for part in zip(*found, strict=True))
        return windows, wholes

    def _rated(self, name: str, rows: np.ndarray) -> Tensor:
        return torch.tensor(getattr(self.ratings, name)[rows], dtype=torch.float32, device=self.device)

    def predict(self, rows: np.ndarray) -> np.ndarray:
        """[len(rows)] scores in 0..5 by the windows of test time, in float32."""
        self.model.eval()
        found = []
        with torch.inference_mode():
            for start in range(0, len(rows), self.recipe.batch):
                part = rows[start : start + self.recipe.batch]
                vectors, texts, _ = self._encode(self._views([(row, None) for row in part]), part)
                found.append(self._scores(self.model.mixed_logits(vectors, texts)).cpu().numpy())
        return np.concatenate(found)

    def save(self, path: Path, fold: int | None) -> None:
        """Everything needed to go on, in one step."""
        draft = path.with_name(path.name + ".part")
        state = {name: getattr(self, name).state_dict() for name in ("model", "optimizer", "scaler")}
        state |= {"epoch": self.epoch, "numpy": self.rng.bit_generator.state, "torch": torch.get_rng_state()}
        if self.mixed:
            state["cuda"] = torch.cuda.get_rng_state()
        torch.save(state | {"settings": self._settings(fold)}, draft)
        draft.replace(path)

    def restore(self, path: Path, fold: int | None) -> None:
        """Goes on where a run stopped, if one did. Raises CheckpointError if its settings were others."""
        if not path.exists():
            return
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # a damaged file fails in many ways
            raise CheckpointError(f"{path}: cannot be read: {error}; delete it to start anew") from None
        if state["settings"] != self._settings(fold):
            raise CheckpointError(
                f"{path}: made with other settings ({state['settings']}); delete it or use another folder"
            )
        for name in ("model", "optimizer", "scaler"):
            getattr(self, name).load_state_dict(state[name])
        self.epoch, self.rng.bit_generator.state = state["epoch"], state["numpy"]
        torch.set_rng_state(state["torch"])
        if self.mixed and "cuda" in state:
            torch.cuda.set_rng_state(state["cuda"])

    def _settings(self, fold: int | None) -> dict:
        return {"config": asdict(self.config), "recipe": asdict(self.recipe), "fold": fold}


def _report(run: _Run, rows: np.ndarray, path: Path) -> None:
    predicted, rated = run.predict(rows), getattr(run.ratings, run.config.task)[rows]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "predicted", "rated"])
        writer.writerows(zip(run.ratings.name[rows], predicted, rated, strict=True))
    print(f"held out: SRCC {srcc(predicted, rated):.4f}, PLCC {plcc(predicted, rated):.4f}", flush=True)
