"""Reads checkpoints of other people's training without running what they hold, and fits them to a module."""

from __future__ import annotations

import fnmatch
import pickle
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from assay_training.data import DataError

WRAPPERS = ("model_state_dict", "state_dict", "model")  # keys under which trainers keep the state
SHOWN = 5  # keys named in a message


class CheckpointError(DataError):
    """A checkpoint that cannot be used; the message names file, key, expectation and finding."""


def read_state(path: Path) -> dict[str, Tensor]:
    """Tensors by key, on the CPU, from `.safetensors` or what torch.save wrote; a wrapping dict is opened.

    Files that would have to run code to be read are refused. Raises CheckpointError.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: file not found")
    found = _safetensors(path) if path.suffix == ".safetensors" else _torch_file(path)
    for wrapper in WRAPPERS:
        if isinstance(found, dict) and isinstance(found.get(wrapper), dict):
            found = found[wrapper]
    if not isinstance(found, dict) or not found or not all(isinstance(v, Tensor) for v in found.values()):
        raise CheckpointError(f"{path}: expected a state dict (tensors by key), found {_described(found)}")
    return dict(found)


def fit_state(module: nn.Module, state: dict[str, Tensor], path: Path, dead: Sequence[str] = ()) -> list[str]:
    """Copies `state` into the module, converting to its dtypes; returns the keys that have no effect.

    `dead`: patterns (as of fnmatch) of keys that upstream stores and never uses. Raises CheckpointError if a
    key is missing, has another shape, or is neither live nor dead; `path` is for the message.
    """
    live = module.state_dict()
    unused = [key for key in state if key not in live]
    strange = [key for key in unused if not any(fnmatch.fnmatchcase(key, pattern) for pattern in dead)]
    missing = [key for key in live if key not in state]
    if missing:
        hint = f"; it has {_listed(strange)} instead" if strange else ""
        raise CheckpointError(f"{path}: {len(missing)} of {len(live)} keys missing: {_listed(missing)}{hint}")
    for key, value in live.items():
        if state[key].shape != value.shape:
            expected, found = tuple(value.shape), tuple(state[key].shape)
            raise CheckpointError(f"{path}: {key}: expected shape {expected}, found {found}")
    if strange:
        raise CheckpointError(f"{path}: keys of another system: {_listed(strange)}")
    module.load_state_dict({key: state[key].to(value.dtype) for key, value in live.items()})
    return unused


def _torch_file(path: Path) -> object:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        reason = str(error).strip().splitlines()[0]
        raise CheckpointError(
            f"{path}: not read, since that would run code stored in it ({reason}); "
            "save its state dict alone, with torch.save(model.state_dict(), …) or as .safetensors"
        ) from None
    except Exception as error:  # zip, EOF and runtime errors of a truncated or foreign file
        raise CheckpointError(f"{path}: cannot be read as a checkpoint: {error}") from None


def _safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except Exception as error:  # SafetensorError, which is not exported everywhere
        raise CheckpointError(f"{path}: cannot be read as safetensors: {error}") from None


def _described(found: object) -> str:
    if isinstance(found, dict):
        return f"a dict with {_listed(found)}" if found else "an empty dict"
    return f"a {type(found).__name__}"


def _listed(keys: Iterable[object]) -> str:
    keys = [str(key) for key in keys]
    rest = f" and {len(keys) - SHOWN} more" if len(keys) > SHOWN else ""
    return ", ".join(keys[:SHOWN]) + rest
