"""A LoRA adapter put into the weights of its base, file by file: no model is built, none of its code runs."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from assay_training.checkpoints import CheckpointError, read_state
from assay_training.data import DataError
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

    def applied(self, name: str, value: Tensor) -> Tensor:
        """The tensor of that name with the adapter in it, in its own type."""
        if name in self.whole:
            return _fitting(self.whole[name], value, name).to(value.dtype)
        if name not in self.low:
            return value
        down, up = (part.float() for part in self.low[name])
        change = up @ down * self.scale
        return (value.float() + _fitting(change.mT if self.turned else change, value, name)).to(value.dtype)


def merge_lora(base: Path, adapter: Path, out: Path) -> None:
    """Writes the folder `out`: all of `base`, with the adapter in its weights.

    Raises CheckpointError if the adapter changes what the base does not have, DataError if `out` is no
    empty folder.
    """
    found, files = read_adapter(adapter), sorted(base.glob("*.safetensors"))
    if not files:
        raise CheckpointError(f"{base}: expected weights in safetensors, found none")
    if out.exists() and any(out.iterdir()):
        raise DataError(f"{out}: expected nothing there, found something")
    left = {*found.low, *found.whole} - {name for file in files for name in _names(file)}
    if left:
        raise CheckpointError(f"{adapter}: changes {listed(sorted(left))}, which {base} does not have")
    out.mkdir(parents=True, exist_ok=True)
    for file in files:
        with safe_open(file, framework="pt") as source:
            tensors = {
                name: found.applied(name, source.get_tensor(name)).contiguous() for name in _names(file)
            }
        save_file(tensors, out / file.name, metadata={"format": "pt"})
        print(f"merge-lora: {file.name}", flush=True)
    for path in base.iterdir():
        if path.is_file() and (path.name.endswith("index.json") or not path.name.endswith(WEIGHTS)):
            shutil.copyfile(path, out / path.name)
    print(
        f"merge-lora: {out}, {len(found.low)} layers changed, {len(found.whole)} tensors replaced", flush=True
    )


def read_adapter(folder: Path) -> Adapter:
    """As PEFT writes it. Raises CheckpointError for kinds of LoRA that are not known here."""
    config = _config(folder / CONFIG)
    file = next((folder / name for name in FILES if (folder / name).is_file()), None)
    if not file:
        raise CheckpointError(f"{folder}: expected {' or '.join(FILES)}, found neither")
    low: dict[str, tuple[Tensor, Tensor]] = {}
    whole: dict[str, Tensor] = {}
    state = read_state(file)
    for key, value in state.items():
        name = WHOLE.sub("", key.removeprefix(PREFIX))
        if key.endswith(DOWN):
            low[f"{name.removesuffix(DOWN)}.weight"] = (value, _other(state, key, file))
        elif not key.endswith(UP):
            whole[name] = value
    odd = [name for name in whole if "lora_" in name]
    if odd:
        raise CheckpointError(f"{file}: {listed(odd)}: expected pairs of …{DOWN} and …{UP} alone")
    rank = config["r"]
    scale = config["lora_alpha"] / (rank**0.5 if config.get("use_rslora") else rank)
    return Adapter(low, whole, scale, bool(config.get("fan_in_fan_out")))


def _config(path: Path) -> dict:
    if not path.is_file():
        raise CheckpointError(f"{path}: file not found")
    config = json.loads(path.read_text(encoding="utf-8"))
    if config.get("peft_type") != "LORA" or not config.get("r") or config.get("lora_alpha") is None:
        raise CheckpointError(f"{path}: expected peft_type LORA with r and lora_alpha")
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


def _names(file: Path) -> list[str]:
    with safe_open(file, framework="pt") as source:
        return list(source.keys())


def _fitting(found: Tensor, wanted: Tensor, name: str) -> Tensor:
    if found.shape != wanted.shape:
        raise CheckpointError(
            f"{name}: expected a change of {list(wanted.shape)}, found one of {list(found.shape)}: it is of "
            "another base"
        )
    return found
