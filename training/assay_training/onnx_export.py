"""Torch modules as ONNX files, checked against torch before they are handed on."""

from __future__ import annotations

import gc
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from assay_training import beside
from assay_training.checkpoints import CheckpointError
from assay_training.scorer import open_session

OPSET = 18
TOLERANCE = 1e-4  # of the largest output: float32 sums in another order


def export(
    module: nn.Module,
    args: dict[str, Tensor],
    outputs: list[str],
    path: Path,
    free: dict[str, dict[int, str]] | None = None,
) -> None:
    """Writes `path`; inputs are the keyword arguments of the module's forward, all with a batch dimension.

    args hold batches of one. The batch is dynamic, and so are the dimensions that `free` names by input;
    their example must be longer than 1. All else is fixed. Weights of more than beside.MOST_BYTES are
    written into a file of their own. Raises CheckpointError, before anything is written, if the outputs are
    no finite numbers; AssertionError if onnxruntime and torch disagree on a batch of two, or on a batch of
    one with free dimensions of one.
    """
    module.eval()
    batch = torch.export.Dim("n", min=1, max=1024)
    free = free or {}
    others = {
        name: torch.export.Dim(name, min=1, max=1024) for dims in free.values() for name in dims.values()
    }
    two = {name: torch.cat([value, value.flip(-1)]) for name, value in args.items()}
    for name, value in zip(outputs, _outputs(module, two), strict=True):
        if not value.isfinite().all():
            raise CheckpointError(
                f"{name}: expected finite numbers, found others: these weights overflow float32"
            )
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module,
            (),
            kwargs=two,  # one of 1 would be taken for a constant
            input_names=list(args),
            output_names=outputs,
            dynamic_shapes={
                name: {0: batch} | {dim: others[label] for dim, label in free.get(name, {}).items()}
                for name in args
            },
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
            optimize=True,
        )
    size = sum(value.numel() * value.element_size() for value in module.state_dict().values())
    program.save(path, external_data=size > beside.MOST_BYTES)
    del program
    gc.collect()  # it refers to itself, and holds all weights
    smallest = {name: _cut(value, (0, *free.get(name, ()))) for name, value in two.items()}
    _check(module, (two, smallest), outputs, path)


def _cut(value: Tensor, dims: tuple[int, ...]) -> Tensor:
    for dim in dims:
        value = value.narrow(dim, 0, 1)
    return value


def _outputs(module: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, ...]:
    with torch.no_grad():
        found = module(**batch)
    return (found,) if isinstance(found, Tensor) else found


def _check(module: nn.Module, batches: tuple[dict[str, Tensor], ...], outputs: list[str], path: Path) -> None:
    session = open_session(path)
    known = {entry.name for entry in session.get_inputs()}
    for batch in batches:
        wanted = _outputs(module, batch)
        feeds = {name: value.numpy() for name, value in batch.items() if name in known}
        for name, value, found in zip(outputs, wanted, session.run(outputs, feeds), strict=True):
            off, size = np.abs(value.numpy() - found).max(), float(value.abs().max())
            assert off <= TOLERANCE * max(size, 1e-3), (
                f"{path.name}: {name} is off by {off:.2e} of {size:.2e}"
            )
