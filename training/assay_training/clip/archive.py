"""Tensors of a TorchScript archive, read without running any of its code.

The archive is a zip with <name>/data.pkl (the module as a pickle of nested objects) and <name>/data/<number>
(the storages). OpenAI publishes CLIP in this form.
"""

from __future__ import annotations

import collections
import pickle
import zipfile
from pathlib import Path

import torch
from torch import Tensor

from assay_training.checkpoints import CheckpointError

STORAGES = {
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "DoubleStorage": torch.float64,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


def is_archive(path: Path) -> bool:
    """Whether the file is a zip that holds TorchScript, as opposed to what torch.save writes."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as file:
        return any(name.endswith("/constants.pkl") for name in file.namelist())


def read_archive(path: Path) -> dict[str, Tensor]:
    """Parameters and buffers by their dotted names, on the CPU. Raises CheckpointError."""
    try:
        with zipfile.ZipFile(path) as file:
            record = next((name for name in file.namelist() if name.count("/") == 1 and _is_data(name)), None)
            if record is None:
                raise CheckpointError(f"{path}: no TorchScript archive: data.pkl is missing")
            with file.open(record) as stream:
                root = _Unpickler(stream, file, record.removesuffix("data.pkl"), path).load()
    except CheckpointError:
        raise
    except Exception as error:  # a damaged zip or pickle fails in many ways
        raise CheckpointError(f"{path}: cannot be read as a TorchScript archive: {error}") from None
    state: dict[str, Tensor] = {}
    _collect(root, "", state)
    if not state:
        raise CheckpointError(f"{path}: the TorchScript archive holds no tensors")
    return state


class _Stand:
    """In the place of an object of the archive's own classes; keeps attributes and does nothing."""

    def __setstate__(self, state: object) -> None:
        if isinstance(state, dict):
            vars(self).update(state)


class _Storage:
    """The numbers of one or several tensors."""

    def __init__(self, numbers: Tensor) -> None:
        self.numbers = numbers


class _Unpickler(pickle.Unpickler):
    """Knows tensors, containers and inert stand-ins; refuses every other name."""

    def __init__(self, stream: object, file: zipfile.ZipFile, folder: str, path: Path) -> None:
        super().__init__(stream)
        self.file, self.folder, self.path = file, folder, path
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> object:
        if module.split(".")[0] == "__torch__":
            return type(name, (_Stand,), {})
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        if (module, name) in KNOWN:
            return KNOWN[module, name]
        raise CheckpointError(
            f"{self.path}: not read, since that would run code stored in it ({module}.{name})"
        )

    def persistent_load(self, pid: tuple) -> _Storage:
        kind, dtype, key, _, count = pid
        if kind != "storage" or not isinstance(dtype, torch.dtype):
            raise CheckpointError(f"{self.path}: expected a storage, found {kind!r} of {dtype!r}")
        if key not in self.storages:
            numbers = bytearray(self.file.read(f"{self.folder}data/{key}"))
            self.storages[key] = _Storage(torch.frombuffer(numbers, dtype=dtype, count=count))
        return self.storages[key]


def _tensor(storage: _Storage, offset: int, size: tuple, stride: tuple, *_: object) -> Tensor:
    if not isinstance(storage, _Storage):
        raise pickle.UnpicklingError("a tensor without a storage")
    return torch.as_strided(storage.numbers, size, stride, offset).clone()


def _same(value: object, *_: object) -> object:
    return value


KNOWN = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _same,
    **{
        ("torch.jit._pickle", name): _same
        for name in (
            "build_intlist",
            "build_tensorlist",
            "build_doublelist",
            "build_boollist",
            "restore_type_tag",
        )
    },
}


def _is_data(name: str) -> bool:
    return name.endswith("/data.pkl")


def _collect(value: object, prefix: str, state: dict[str, Tensor]) -> None:
    if isinstance(value, Tensor):
        state[prefix] = value
    elif isinstance(value, (_Stand, dict)):
        for name, part in (value if isinstance(value, dict) else vars(value)).items():
            _collect(part, f"{prefix}.{name}" if prefix else str(name), state)
