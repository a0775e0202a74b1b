"""Nets as a whole: how they start, are stored, averaged and applied to cached images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from assay_training.data import Ratings
from assay_training.lite.cache import PLAIN, Cache
from assay_training.lite.model import FROZEN, LiteNet
from assay_training.ridge import ridge


def initial_net(rows: np.ndarray, ratings: Ratings, cache: Cache, weights: Path, strength: float) -> LiteNet:
    """ImageNet backbone with the frozen half fixed, and the means from ridge regression on `rows`."""
    net = LiteNet()
    net.backbone.load_tflite(weights)
    net = net.to(memory_format=torch.channels_last)
    for part in (net.backbone.stem, *net.backbone.blocks[:FROZEN]):
        part.requires_grad_(False)
    targets = ratings.targets()[rows]
    fit = ridge(cache.frozen[rows], targets, strength)
    with torch.no_grad():
        net.centre.copy_(torch.from_numpy(fit.centre))
        net.scale.copy_(torch.from_numpy(fit.scale))
        net.mean.weight.copy_(torch.from_numpy(fit.weight))
        net.mean.bias.copy_(torch.from_numpy(fit.bias))
        net.spread.requires_grad_(False)  # fitted afterwards, see spread.py
    return net


def load_net(path: Path) -> LiteNet:
    """The net of a net.pt file, in evaluation mode and channels_last."""
    net = LiteNet().to(memory_format=torch.channels_last)
    net.load_state_dict(torch.load(path, weights_only=True)["net"])
    return net.eval()


def predict(net: LiteNet, cache: Cache, rows: np.ndarray, view: int = PLAIN) -> tuple[np.ndarray, np.ndarray]:
    """Means and spreads [len(rows), 2] of whole cached images, in MOS units."""
    net.eval()
    outputs = []
    with torch.inference_mode():
        for part in np.array_split(rows, max(1, len(rows) // 16)):
            early = torch.from_numpy(cache.early[part, view]).permute(0, 3, 1, 2).float()
            outputs.append(net.from_early(early, torch.from_numpy(cache.stats[part, view])))
    means, spreads = (torch.cat(part).numpy() for part in zip(*outputs, strict=True))
    return means, spreads


def replace_weights(path: Path, net: LiteNet) -> None:
    """Stores other weights in a net.pt file."""
    write_state(torch.load(path, weights_only=True) | {"net": net.state_dict()}, path)


def write_state(state: dict, path: Path) -> None:
    """Saves a checkpoint so that a crash leaves either the old file or the new one."""
    temporary = path.with_suffix(".tmp")
    torch.save(state, temporary)
    temporary.replace(path)
