"""The output layer of a language model, read alone from files that may hold billions of weights."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from assay_training.checkpoints import CheckpointError, read_state
from assay_training.json_object import read_object

NAME = "lm_head.weight"
INDEX = "model.safetensors.index.json"


def read_lm_head(path: Path, rows: int, columns: int) -> Tensor:
    """[rows, columns]: words of the vocabulary, width of the hidden states, in the type that is stored.

    path: a folder of safetensors (in parts, too), one such file, or one of torch. Raises CheckpointError.
    """
    found = _from_folder(path) if path.is_dir() else _from_file(path)
    if tuple(found.shape) != (rows, columns):
        raise CheckpointError(
            f"{path}: {NAME}: expected [{rows}, {columns}] (words, hidden width), found {list(found.shape)}: "
            "this is another language model"
        )
    if not found.isfinite().all():
        raise CheckpointError(f"{path}: {NAME} holds what is no finite number")
    return found


def _from_folder(folder: Path) -> Tensor:
    index = folder / INDEX
    if index.is_file():
        places = read_object(index).get("weight_map")
        if not isinstance(places, dict):
            raise CheckpointError(f"{index}: expected weight_map, the file of each tensor, found none")
        return _from_safetensors(folder / places[_one(places, index)])
    files = sorted(folder.glob("*.safetensors"))
    if len(files) != 1:
        raise CheckpointError(f"{folder}: expected {INDEX} or one file of safetensors, found {len(files)}")
    return _from_safetensors(files[0])


def _from_file(path: Path) -> Tensor:
    if path.suffix == ".safetensors" and path.is_file():
        return _from_safetensors(path)
    state = read_state(path)
    return state[_one(state, path)]


def _from_safetensors(path: Path) -> Tensor:
    from safetensors import safe_open

    if not path.is_file():
        raise CheckpointError(f"{path}: file not found, though the index beside it names it")
    try:
        with safe_open(path, framework="pt") as file:
            return file.get_tensor(_one(file.keys(), path))
    except CheckpointError:
        raise
    except Exception as error:  # SafetensorError, which is not exported everywhere
        raise CheckpointError(f"{path}: cannot be read as safetensors: {error}") from None


def _one(names, path: Path) -> str:
    """The one name that ends in NAME; a LoRA leaves the layer below another name."""
    found = [name for name in names if name.endswith((NAME, "lm_head.base_layer.weight"))]
    if len(found) == 1:
        return found[0]
    raise CheckpointError(f"{path}: expected one tensor named …{NAME}, found {len(found)}")
