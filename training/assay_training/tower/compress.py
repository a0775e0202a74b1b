"""Brings the tower to two bits a weight, matrix by matrix in the order of use, on unrated pictures.

Before a matrix is rounded it is refitted by least squares so that, fed with what the rounded part before it
gives, it returns what the original tower has at this place; errors therefore do not pile up.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from assay_training.tower.clip import MATRICES, Block, Tower, to_pixels
from assay_training.tower.codebook import Coded, encode

CHUNK = 16  # pictures at a time
MARGIN = 1.1  # what a channel may exceed its largest value in calibration by before it is cut off
CODED = ("codes", "book", "scale")  # what a product's codes are stored as
SPAN = 16  # root mean squares that every channel may reach: one step of uint8 is an eighth of one


@dataclass(frozen=True)
class Recipe:
    """How matrices are refitted; stored with the result."""

    pictures: int = 960
    seed: int = 0
    class_token: float = 5.0  # how much it counts against one patch token
    stay: float = 0.1  # pull towards the original weights, in mean squared inputs
    # neurons of each block's perceptron that are kept, of 3072: few are needed in the late blocks, and errors
    # of the early ones go through all that follow
    hidden: tuple[int, ...] = (2816, 3072, 3072, 3072, 3072, 3072, 1920, 1792, 1792, 1792)
    rounds: int = 4  # in which the others are removed


@dataclass(frozen=True)
class Product:
    """A rounded matrix: it takes inputs divided by `reach` [C], which then lie in -1..1.

    Most channels have the same reach, only those with outliers a larger one: the weights, multiplied by it,
    stay of one size, as codes want them.
    """

    coded: Coded
    reach: np.ndarray
    bias: np.ndarray

    def put_into(self, layer: nn.Linear) -> None:
        """Makes a layer that takes plain inputs compute the same."""
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(self.coded.matrix() / self.reach))
            layer.bias.copy_(torch.from_numpy(self.bias))


@dataclass(frozen=True)
class Compressed:
    """The tower with rounded matrices, each of them (`{block}.{matrix}`), and how far the tower is off.

    errors [BLOCKS]: squared error of the tokens after each block as a share of their variance, on the
    pictures it was fitted to.
    """

    tower: Tower
    products: dict[str, Product]
    errors: list[float]


# makes a rounded matrix near `weight` [R, C] that makes outputs [N, T, R] of inputs [N, T, C]
Refit = Callable[[Tensor, Tensor, Tensor, Recipe], Product]


def compress(
    tower: Tower, pictures: np.ndarray, recipe: Recipe, threads: int, refit: Refit | None = None
) -> Compressed:
    """Rounds all matrices of the blocks; pictures uint8 [N, side, side, 3] (18 minutes on two busy cores).

    `refit` says how one matrix is rounded: `refitted` by default.
    """
    refit = refit or refitted
    torch.set_num_threads(threads)
    rounded, products, errors = copy.deepcopy(tower), {}, []
    with torch.no_grad():
        wanted = _chunked(lambda part: tower.embed(to_pixels(part.numpy())), torch.from_numpy(pictures))
        found = wanted.clone()
        for index, (block, target) in enumerate(zip(tower.blocks, rounded.blocks, strict=True)):
            started = time.monotonic()
            made, wanted, found = _block(block, target, wanted, found, recipe, recipe.hidden[index], refit)
            products |= {f"{index}.{name}": product for name, product in made.items()}
            errors.append(_error(wanted, found))
            taken = time.monotonic() - started
            print(f"compress: block {index}, error {errors[-1]:.4f} ({taken:.0f} s)", flush=True)
    return Compressed(rounded, products, errors)


def save(compressed: Compressed, path: Path) -> None:
    """Writes everything but the tower's own constants, which are read from the original again."""
    state = {}
    for name, product in compressed.products.items():
        state |= {f"{name}.{part}": getattr(product.coded, part) for part in CODED}
        state |= {f"{name}.reach": product.reach, f"{name}.bias": product.bias}
    np.savez(path, errors=np.array(compressed.errors), **state)


def load(tower: Tower, path: Path) -> Compressed:
    """What `save` wrote, on top of the original tower (which is changed)."""
    products = {}
    with np.load(path) as stored:
        for index, block in enumerate(tower.blocks):
            for matrix in MATRICES:
                name = f"{index}.{matrix}"
                coded = Coded(*(stored[f"{name}.{part}"] for part in CODED))
                products[name] = Product(coded, stored[f"{name}.reach"], stored[f"{name}.bias"])
                layer = nn.Linear(len(products[name].reach), len(coded.scale))
                products[name].put_into(layer)
                setattr(block, matrix, layer)
        return Compressed(tower, products, stored["errors"].tolist())


def read_errors(path: Path) -> list[float]:
    """How far the tower that `save` wrote is off after each block."""
    with np.load(path) as stored:
        return stored["errors"].tolist()


def _block(
    block: Block, target: Block, wanted: Tensor, found: Tensor, recipe: Recipe, count: int, rounding: Refit
) -> tuple[dict[str, Product], Tensor, Tensor]:
    """Rounds one block; returns its products and the tokens after it, original and rounded."""
    products = {}

    def refit(name: str, weight: Tensor, inputs: Tensor, outputs: Tensor) -> nn.Linear:
        products[name] = rounding(weight, inputs, outputs, recipe)
        layer = nn.Linear(inputs.shape[-1], outputs.shape[-1])
        products[name].put_into(layer)
        setattr(target, name, layer)
        return layer

    plain, rounded = _chunked(block.ln1, wanted), _chunked(target.ln1, found)
    refit("qkv", block.qkv.weight, rounded, _chunked(block.qkv, plain))
    wanted = wanted + _chunked(lambda part: block.out(block.mix(part)), plain)
    mixed = _chunked(target.mix, rounded)
    found = found + _chunked(refit("out", block.out.weight, mixed, wanted - found), mixed)

    plain, rounded = _chunked(block.ln2, wanted), _chunked(target.ln2, found)
    hidden = _chunked(block.gate, plain)
    kept = neurons(hidden, block.fc2.weight, count, recipe)
    wanted = wanted + _chunked(block.fc2, hidden)
    del hidden
    first = nn.Linear(block.fc1.in_features, len(kept))
    first.weight.copy_(block.fc1.weight[kept])
    first.bias.copy_(block.fc1.bias[kept])
    refit("fc1", first.weight, rounded, _chunked(first, plain))
    hidden = _chunked(target.gate, rounded)
    found = found + _chunked(refit("fc2", block.fc2.weight[:, kept], hidden, wanted - found), hidden)
    return products, wanted, found


def neurons(hidden: Tensor, weight: Tensor, count: int, recipe: Recipe) -> Tensor:
    """Which `count` of the H neurons to keep, sorted: those whose removal the others cannot make up for.

    hidden [N, T, H], weight [R, H] of the layer behind. What is lost by removing one and refitting the others
    is |its weights|^2 / its entry on the diagonal of the inverse moments (Hassibi and Stork, 1992).
    """
    if count == hidden.shape[-1]:
        return torch.arange(count)
    _, moments = weighted_moments(hidden, recipe)
    kept = torch.arange(len(moments))
    for size in np.linspace(len(kept), count, recipe.rounds + 1)[1:].round().astype(int):
        part = moments[kept][:, kept].double()
        part.diagonal().add_(0.01 * part.diagonal().mean())
        inverse = torch.linalg.inv(part)
        refit = weight.double() @ moments[:, kept].double() @ inverse
        cost = refit.pow(2).sum(0) / inverse.diagonal()
        kept = kept[cost.argsort(descending=True)[:size].sort().values]
    return kept


def refitted(weight: Tensor, inputs: Tensor, outputs: Tensor, recipe: Recipe) -> Product:
    """A matrix near `weight` [R, C] that makes `outputs` [N, T, R] of `inputs` [N, T, C], rounded."""
    reach = torch.maximum(MARGIN * inputs.abs().amax((0, 1)), SPAN * inputs.square().mean().sqrt())
    inputs = inputs / reach
    centre, moments = weighted_moments(inputs, recipe)
    trust = token_trust(inputs, recipe)
    level = (trust * outputs.flatten(0, 1)).mean(0)
    mixed = ((inputs.flatten(0, 1) - centre) * trust).T @ (outputs.flatten(0, 1) - level) / len(trust)
    # the pull is the same for all channels in units of their plain inputs
    stay = recipe.stay * (moments.diagonal() * reach.square()).mean() / reach.square()
    found = torch.linalg.solve(moments + torch.diag(stay), mixed + stay[:, None] * (weight * reach).T).T
    coded = encode(found, moments, recipe.seed)
    bias = level - torch.from_numpy(coded.matrix()) @ centre
    return Product(coded, reach.numpy(), bias.numpy())


def weighted_moments(inputs: Tensor, recipe: Recipe) -> tuple[Tensor, Tensor]:
    """Mean [C] and covariance [C, C] of tokens [N, T, C], class tokens counting more."""
    flat, trust = inputs.flatten(0, 1), token_trust(inputs, recipe)
    centre = (trust * flat).mean(0)
    off = (flat - centre) * trust.sqrt()
    return centre, off.T @ off / len(off)


def token_trust(inputs: Tensor, recipe: Recipe) -> Tensor:
    """[N * T, 1] with mean 1: how much each token of inputs [N, T, C] counts."""
    trust = torch.ones(inputs.shape[1])
    trust[0] = recipe.class_token
    return (trust / trust.mean()).repeat(len(inputs))[:, None]


def _chunked(function, values: Tensor) -> Tensor:
    return torch.cat([function(part) for part in values.split(CHUNK)])


def _error(wanted: Tensor, found: Tensor) -> float:
    spread = wanted - wanted.mean((0, 1))
    return float((wanted - found).pow(2).sum() / spread.pow(2).sum())
