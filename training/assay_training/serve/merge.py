"""A LoRA adapter put into the weights of its base, file by file: no model is built, none of its code runs."""

from __future__ import annotations

import math
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from assay_training.checkpoints import CheckpointError, read_state
from assay_training.data import DataError
from assay_training.json_object import read_object
from assay_training.recognise import listed

CONFIG, FILES = "adapter_config.json", ("adapter_model.safetensors", "adapter_model.bin")
PREFIX = "base_model.model."
DOWN, UP = ".lora_A.weight", ".lora_B.weight"
WHOLE = re.compile(r"\bmodules_to_save\.(?:default\.)?|\bbase_layer\.")  # what PEFT puts into names
WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".safetensors.index.json")
UNKNOWN = ("use_dora", "rank_pattern", "alpha_pattern", "layer_replication")  # change what the numbers mean


@dataclass(frozen=True)
class Adapter:
    """Changes by the names of the base's tensors."""

    low: dict[str, tuple[Tensor, Tensor]]  # down [rank, in] and up [out, rank]
    whole: dict[str, Tensor]  # layers that were trained as they are
    scale: float
    turned: bool  # whether the base stores [in, out]
    file: Path  # that they are from

    def applied(self, name: str, value: Tensor) -> Tensor:
        """The tensor of that name with the adapter in it, in its own type."""
        if name in self.whole:
            return self._fitting(self.whole[name], value, name).to(value.dtype)
        if name not in self.low:
            return value
        if not value.is_floating_point():
            raise CheckpointError(
                f"{self.file}: {name}: expected floating-point numbers in the base, found {value.dtype}"
            )
        down, up = (part.float() for part in self.low[name])
        change = up @ down * self.scale
        merged = value.float() + self._fitting(change.mT if self.turned else change, value, name)
        merged = merged.to(value.dtype)
        if not merged.float().isfinite().all():
            raise CheckpointError(f"{self.file}: {name}: with the adapter it holds what is no finite number")
        return merged

    def _fitting(self, found: Tensor, wanted: Tensor, name: str) -> Tensor:
        if found.shape != wanted.shape:
            raise CheckpointError(
                f"{self.file}: {name}: expected a change of {list(wanted.shape)}, found one of "
                f"{list(found.shape)}: it is of another base"
            )
        return found


def merge_lora(base: Path, adapter: Path, out: Path) -> None:
    """Writes the folder `out`: all of `base`, with the adapter in its weights.

    Raises CheckpointError if the adapter changes what the base does not have, DataError if `out` is no
    empty folder. Nothing is left of it if something fails.
    """
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise DataError(f"{out}: expected nothing there, found {'something' if out.is_dir() else 'a file'}")
    found, files = read_adapter(adapter), sorted(base.glob("*.safetensors"))
    if not files:
        raise CheckpointError(f"{base}: expected weights in safetensors, found none")
    left = {*found.low, *found.whole} - {name for file in files for name in _names(file)}
    if left:
        raise CheckpointError(f"{adapter}: changes {listed(sorted(left))}, which {base} does not have")
    out.parent.mkdir(parents=True, exist_ok=True)
    target = out.resolve()  # an empty folder may be reached by a link
    with tempfile.TemporaryDirectory(prefix=".merge-", dir=target.parent) as place:
        folder = Path(place) / out.name
        folder.mkdir()
        _write(folder, base, files, found)
        folder.replace(target)
    print(
        f"merge-lora: {out}, {len(found.low)} layers changed, {len(found.whole)} tensors replaced", flush=True
    )


def _write(folder: Path, base: Path, files: list[Path], adapter: Adapter) -> None:
    for file in files:
        with _opened(file) as source:
            names = source.keys()
            tensors = {name: adapter.applied(name, source.get_tensor(name)).contiguous() for name in names}
        save_file(tensors, folder / file.name, metadata={"format": "pt"})
        print(f"merge-lora: {file.name}", flush=True)
    for path in base.iterdir():
        if path.is_file() and (path.name.endswith("index.json") or not path.name.endswith(WEIGHTS)):
            shutil.copyfile(path, folder / path.name)


def read_adapter(folder: Path) -> Adapter:
    """As PEFT writes it. Raises CheckpointError for kinds of LoRA that are not known here."""
    config = _config(folder / CONFIG)
    file = next((folder / name for name in FILES if (folder / name).is_file()), None)
    if not file:
        raise CheckpointError(f"{folder}: expected {' or '.join(FILES)}, found neither")
    low: dict[str, tuple[Tensor, Tensor]] = {}
    whole: dict[str, Tensor] = {}
    state = read_state(file)
    alone = [key for key in state if key.endswith(UP) and key.removesuffix(UP) + DOWN not in state]
    if alone:
        raise CheckpointError(f"{file}: {listed(alone)}: expected …{DOWN} beside it, found none")
    for key, value in state.items():
        _check_numbers(key, value, file)
        name = WHOLE.sub("", key.removeprefix(PREFIX))
        if key.endswith(DOWN):
            pair = (value, _other(state, key, file))
            _check_rank(key, pair, config["r"], file)
            low[f"{name.removesuffix(DOWN)}.weight"] = pair
        elif not key.endswith(UP):
            whole[name] = value
    odd = [name for name in whole if "lora_" in name]
    if odd:
        raise CheckpointError(f"{file}: {listed(odd)}: expected pairs of …{DOWN} and …{UP} alone")
    rank = config["r"]
    scale = config["lora_alpha"] / (rank**0.5 if config.get("use_rslora") else rank)
    return Adapter(low, whole, scale, bool(config.get("fan_in_fan_out")), file)


def _config(path: Path) -> dict:
    config = read_object(path)
    kind, rank, alpha = (config.get(name) for name in ("peft_type", "r", "lora_alpha"))
    if kind != "LORA":
        raise CheckpointError(f"{path}: expected peft_type LORA, found {kind!r}")
    if not isinstance(rank, int) or isinstance(rank, bool) or rank < 1:
        raise CheckpointError(f"{path}: r: expected a whole number from 1 on, found {rank!r}")
    if not isinstance(alpha, int | float) or isinstance(alpha, bool) or not math.isfinite(alpha):
        raise CheckpointError(f"{path}: lora_alpha: expected a finite number, found {alpha!r}")
    used = [name for name in UNKNOWN if config.get(name)]
    if used:
        raise CheckpointError(
            f"{path}: {listed(used)}: not known here; merge it with PEFT (merge_and_unload)"
        )
    return config


def _other(state: dict[str, Tensor], key: str, file: Path) -> Tensor:
    other = key.removesuffix(DOWN) + UP
    if other not in state:
        raise CheckpointError(f"{file}: {key} is there, {other} is not")
    return state[other]


def _check_numbers(key: str, value: Tensor, file: Path) -> None:
    if not value.is_floating_point():
        raise CheckpointError(f"{file}: {key}: expected floating-point numbers, found {value.dtype}")
    if not value.float().isfinite().all():
        raise CheckpointError(f"{file}: {key} holds what is no finite number: the training went wrong")


def _check_rank(key: str, pair: tuple[Tensor, Tensor], rank: int, file: Path) -> None:
    down, up = (list(part.shape) for part in pair)
    if len(down) != 2 or len(up) != 2 or not down[0] == up[1] == rank:
        raise CheckpointError(
            f"{file}: {key}: expected [{rank}, …], as r of {CONFIG} says, and […, {rank}] beside it, found "
            f"{down} and {up}"
        )


def _names(file: Path) -> list[str]:
    with _opened(file) as source:
        return list(source.keys())


@contextmanager
def _opened(file: Path) -> Iterator[safe_open]:
    try:
        source = safe_open(file, framework="pt")
    except Exception as error:  # SafetensorError, which is not exported everywhere
        raise CheckpointError(f"{file}: cannot be read as safetensors: {error}") from None
    with source:
        yield source
