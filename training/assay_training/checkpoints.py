"""Reads checkpoints of other people's training without running what they hold, and fits them to a module."""

from __future__ import annotations

import argparse
import fnmatch
import pickle
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from assay_training.data import DataError
from assay_training.file_kind import SAFETENSORS, format_of, mistaken, starts_with
from assay_training.recognise import listed, recognised

# keys under which trainers keep a state, the preferred one first: averages come after what was averaged
WRAPPERS = (
    "model_state_dict", "state_dict", "model", "net", "network", "module", "weights", "params",
    "ema_state_dict", "model_ema", "ema", "params_ema", "shadow",
)  # fmt: skip
DEPTH = 4  # wrappers in wrappers
# parts of names that DataParallel and torch.compile add
INNER = re.compile(r"(?<![^.])(?:module|_orig_mod)\.")
GLOBAL = re.compile(r"GLOBAL ([\w.]+)")  # what torch refuses to call
PICKLE = b"\x80"  # first byte of every file that torch.save wrote before it wrote zips


class CheckpointError(DataError):
    """A checkpoint that cannot be used; the message names file, key, expectation and finding."""


def read_state(path: Path) -> dict[str, Tensor]:
    """Tensors by key, on the CPU, from safetensors, what torch.save wrote, or TorchScript.

    The state is looked for in what wraps it, and names are without what DataParallel and torch.compile put
    into them. Files that would have to run code to be read are refused. Raises CheckpointError.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: {'a folder, not a file' if path.is_dir() else 'file not found'}")
    wrong = mistaken(path)
    if wrong:
        raise CheckpointError(f"{path}: this is no checkpoint: it is {wrong}")
    found = _safetensors(path) if format_of(path) == SAFETENSORS else _torch_file(path)
    state = _unwrapped(found)
    if state is None:
        raise CheckpointError(f"{path}: expected a state dict (tensors by key), found {_described(found)}")
    return {INNER.sub("", key): value for key, value in state.items()}


def without_prefix(state: dict[str, Tensor], live: Iterable[str]) -> dict[str, Tensor]:
    """Names without what is put before them all, such as `model.`: what makes most of them one of `live`.

    Names without that prefix stay as they are, and so do all if none makes half of `live`.
    """
    wanted, counts = set(live), {"": 0}
    for key in state:
        for place in (0, *(dot.end() for dot in re.finditer(r"\.", key))):
            if key[place:] in wanted:
                counts[key[:place]] = counts.get(key[:place], 0) + 1
    prefix = max(counts, key=lambda one: (counts[one], -len(one)))
    if not prefix or 2 * counts[prefix] < len(wanted):
        return dict(state)
    inside = {key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)}
    outside = {key: value for key, value in state.items() if not key.startswith(prefix)}
    return outside | inside


def fit_state(module: nn.Module, state: dict[str, Tensor], path: Path, dead: Sequence[str] = ()) -> list[str]:
    """Copies `state` into the module, converting to its dtypes; returns the keys that have no effect.

    `dead`: patterns (as of fnmatch) of keys that upstream stores and never uses. Raises CheckpointError if a
    key is missing, has another shape, is neither live nor dead, or holds what is no number; `path` is for
    the message.
    """
    live = module.state_dict()
    state = without_prefix(state, live)
    unused = [key for key in state if key not in live]
    strange = [key for key in unused if not any(fnmatch.fnmatchcase(key, pattern) for pattern in dead)]
    missing = [key for key in live if key not in state]
    if missing:
        hint = f"; it has {listed(strange)} instead" if strange else ""
        other = looks_like(state) if len(missing) > len(live) / 2 else ""
        raise CheckpointError(
            f"{path}: {len(missing)} of {len(live)} keys missing: {listed(missing)}{hint}{other}"
        )
    for key, value in live.items():
        _check_tensor(key, state[key], value, path)
    if strange:
        raise CheckpointError(
            f"{path}: {'unexpected key' if len(strange) == 1 else f'{len(strange)} unexpected keys'} "
            f"{listed(strange)}; all else is there. If it has no part in the score, save the state without it"
        )
    module.load_state_dict({key: state[key].to(value.dtype) for key, value in live.items()})
    return unused


def looks_like(state: dict[str, Tensor]) -> str:
    """The end of a message: what the state is of, if that is known."""
    kind = recognised(state)
    return f". This looks like {kind}" if kind else ""


def columns(state: Mapping[str, Tensor], key: str, path: Path) -> int:
    """Numbers in a row of a matrix. Raises CheckpointError for what has no rows."""
    if state[key].ndim < 2:
        raise CheckpointError(
            f"{path}: {key}: expected a matrix, found one of shape {tuple(state[key].shape)}"
        )
    return state[key].shape[-1]


def _check_tensor(key: str, found: Tensor, wanted: Tensor, path: Path) -> None:
    if found.shape != wanted.shape:
        raise CheckpointError(
            f"{path}: {key}: expected shape {tuple(wanted.shape)}, found {tuple(found.shape)}"
        )
    if not wanted.is_floating_point():
        return
    if not found.is_floating_point():
        raise CheckpointError(
            f"{path}: {key}: expected floating-point numbers, found {found.dtype}; weights that were made "
            "smaller for inference cannot be converted, those they were made from can"
        )
    if not found.isfinite().all():
        raise CheckpointError(f"{path}: {key} holds what is no finite number: the training went wrong")


def _unwrapped(found: object) -> dict[str, Tensor] | None:
    """The state dict in what a file holds: of all with many tensors, that below the first of WRAPPERS."""
    states = dict(_states(found, (), DEPTH))
    if not states:
        return None
    most = max(map(len, states.values()))
    whole = {place: state for place, state in states.items() if 2 * len(state) > most}
    rank = {name: number for number, name in enumerate(WRAPPERS)}
    return whole[min(whole, key=lambda place: [rank.get(name, len(rank)) for name in place])]


def _states(found: object, place: tuple[str, ...], depth: int) -> Iterator[tuple[tuple[str, ...], dict]]:
    """All dicts with tensors by name; numbers and texts beside these are left out."""
    if not isinstance(found, dict):
        return
    tensors = {str(key): value for key, value in found.items() if isinstance(value, Tensor)}
    inner = {key: value for key, value in found.items() if isinstance(value, dict)}
    if tensors:
        yield place, tensors
    for key, value in inner.items():
        if depth and "optim" not in str(key):
            yield from _states(value, (*place, str(key)), depth - 1)


def _torch_file(path: Path) -> object:
    from assay_training.clip.archive import is_archive, read_archive  # which raises CheckpointError, too

    if is_archive(path):
        return read_archive(path)
    try:
        with torch.serialization.safe_globals(_harmless()), path.open("rb") as file:
            return torch.load(file, map_location="cpu", weights_only=True)  # of a name it reads the ending
    except pickle.UnpicklingError as error:  # its text advises to switch the safety off: it is not repeated
        called = GLOBAL.search(str(error))
        if not called and not zipfile.is_zipfile(path) and not starts_with(path, PICKLE):
            raise CheckpointError(f"{path}: this is no checkpoint: nothing that PyTorch writes") from None
        raise CheckpointError(
            f"{path}: not read, since that would run code stored in it"
            f"{f' ({called[1]})' if called else ''}. Where it was trained, save the state dict alone: "
            "torch.save(model.state_dict(), …), or as safetensors"
        ) from None
    except Exception as error:  # zip, EOF and runtime errors of a truncated or foreign file
        reason = str(error).strip().partition("\n")[0].partition(". ")[0]
        reason = reason if reason and "weights_only" not in reason else "it ends too early, or is damaged"
        raise CheckpointError(
            f"{path}: cannot be read as a checkpoint: {reason}; download it again"
        ) from None


def _harmless() -> list:
    """What trainers leave beside the weights: options of a command line, and numbers of NumPy."""
    numbers = [getattr(np.dtypes, name) for name in dir(np.dtypes) if name.endswith("DType")]
    core = np._core if hasattr(np, "_core") else np.core
    arrays = [np.ndarray, core.multiarray._reconstruct]
    return [argparse.Namespace, np.dtype, core.multiarray.scalar, *arrays, *numbers]


def _safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except Exception as error:  # SafetensorError, which is not exported everywhere
        raise CheckpointError(f"{path}: cannot be read as safetensors: {error}") from None


def _described(found: object) -> str:
    if isinstance(found, dict):
        return f"a dict with {listed(found)}" if found else "an empty dict"
    return f"a {type(found).__name__}"
