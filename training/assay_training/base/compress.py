"""The whole tower in four bits a weight: which recipe, how one matrix is rounded, and where the result
is kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from assay_training.base.blocks import Blocked, Product, encode
from assay_training.tower.clip import MATRICES, Shape, Tower
from assay_training.tower.compress import Compressed, Recipe, token_trust, weighted_moments

SHAPE = Shape(side=224, blocks=12, taps=(3, 6, 9, 11))
RECIPE = Recipe(pictures=192, stay=0.3, hidden=(3072,) * SHAPE.blocks)


def refitted(weight: Tensor, inputs: Tensor, outputs: Tensor, recipe: Recipe) -> Product:
    """A matrix near `weight` [R, C] that makes `outputs` [N, T, R] of `inputs` [N, T, C], rounded."""
    centre, moments = weighted_moments(inputs, recipe)
    trust = token_trust(inputs, recipe)
    level = (trust * outputs.flatten(0, 1)).mean(0)
    mixed = ((inputs.flatten(0, 1) - centre) * trust).T @ (outputs.flatten(0, 1) - level) / len(trust)
    stay = recipe.stay * moments.diagonal().mean()
    found = torch.linalg.solve(moments + stay * torch.eye(len(moments)), mixed + stay * weight.T).T
    blocked = encode(found, moments)
    bias = level - torch.from_numpy(blocked.matrix()) @ centre
    return Product(blocked, bias.numpy())


def save(products: dict[str, Product], errors: list[float], path: Path) -> None:
    """Writes everything but the tower's own constants, which are read from the original again."""
    state = {"errors": np.array(errors)}
    for name, product in products.items():
        state |= {f"{name}.codes": product.blocked.codes, f"{name}.step": product.blocked.step}
        state[f"{name}.bias"] = product.bias
    np.savez(path, **state)


def load(tower: Tower, path: Path) -> Compressed:
    """What `save` wrote, on top of the original tower (which is changed)."""
    products = {}
    with np.load(path) as stored:
        for index, block in enumerate(tower.blocks):
            for matrix in MATRICES:
                name = f"{index}.{matrix}"
                blocked = Blocked(stored[f"{name}.codes"], stored[f"{name}.step"])
                products[name] = Product(blocked, stored[f"{name}.bias"])
                layer = nn.Linear(blocked.codes.shape[1], blocked.codes.shape[0])
                products[name].put_into(layer)
                setattr(block, matrix, layer)
        return Compressed(tower, products, stored["errors"].tolist())
