"""The sizes of a CLIP, from its tensors and from the settings beside them."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from assay_training.checkpoints import CheckpointError, fit_state, looks_like
from assay_training.clip.archive import is_archive
from assay_training.clip.huggingface import PLAIN, TURNED
from assay_training.clip.model import ACTIVATIONS, Clip, ClipConfig
from assay_training.clip.naming import clip_name
from assay_training.clip.weights import HUGGINGFACE, OPEN_CLIP, read_clip, weights_file

SETTINGS = "config.json"  # beside Hugging Face's weights
OPEN_SETTINGS = "open_clip_config.json"
NEEDED = {  # tensors that tell sizes, and their number of dimensions
    "visual.conv1.weight": 4,
    "visual.positional_embedding": 2,
    "visual.proj": 2,
    "token_embedding.weight": 2,
    "positional_embedding": 2,
    "text_projection": 2,
}
THEIRS = {name: key for key, name in (PLAIN | TURNED).items()}  # Hugging Face's names
HEAD = 64  # numbers a head, where nothing else is said
WIDE_HEADS = {1280: 16, 1408: 16, 1664: 16}  # by width of the image tower: ViT-H, -g and -bigG
HIDDEN_ACT = {"quick_gelu": ACTIVATIONS[0], "gelu": ACTIVATIONS[1]}


@dataclass(frozen=True)
class Settings:
    """What tensors do not tell; None where it is not told beside them either."""

    activation: str | None = None
    heads: int | None = None
    text_heads: int | None = None


def open_clip(path: Path, activation: str | None = None, usual: str | None = None) -> Clip:
    """A CLIP of any size in float32, from a file or folder as `read_clip` takes.

    activation: of ACTIVATIONS, what the user says. usual: what is taken where neither the user nor anything
    beside the weights says it. Raises CheckpointError if it is no CLIP with a vision transformer, or if its
    activation or number of heads is not known.
    """
    file, state = weights_file(path), read_clip(path)
    config = sizes(state, file, activation, usual)
    model = Clip(config)
    fit_state(model, state, file)
    return model.eval().requires_grad_(False)


def sizes(
    state: dict[str, Tensor], file: Path, activation: str | None = None, usual: str | None = None
) -> ClipConfig:
    """Of OpenAI's keys, as `read_clip` gives them. Raises CheckpointError."""
    _check_keys(state, file)
    told = settings_beside(file)
    kernel, positions = state["visual.conv1.weight"], state["visual.positional_embedding"]
    width, text_width = kernel.shape[0], state["text_projection"].shape[0]
    grid = math.isqrt(len(positions) - 1)
    if grid**2 != len(positions) - 1:
        raise CheckpointError(
            f"{file}: {_key('visual.positional_embedding')}: expected a row for the class and a square of "
            f"patches, found {len(positions)} rows"
        )
    _check_widths(state, file, width, text_width)
    return ClipConfig(
        side=grid * kernel.shape[-1],
        patch=kernel.shape[-1],
        width=width,
        layers=_blocks(state, "visual.transformer.resblocks."),
        heads=_heads(width, told.heads or WIDE_HEADS.get(width), file),
        text_width=text_width,
        text_layers=_blocks(state, "transformer.resblocks."),
        text_heads=_heads(text_width, told.text_heads, file),
        context=len(state["positional_embedding"]),
        vocabulary=len(state["token_embedding.weight"]),
        joint=state["visual.proj"].shape[1],
        activation=_activation(file, told.activation, activation, usual),
    )


def settings_beside(file: Path) -> Settings:
    """What the files that publishers lay beside their weights say. Raises CheckpointError if they cannot."""
    if file.name in HUGGINGFACE and (file.parent / SETTINGS).is_file():
        return _huggingface(file.parent / SETTINGS)
    if file.name in OPEN_CLIP and (file.parent / OPEN_SETTINGS).is_file():
        return _open_clip(file.parent / OPEN_SETTINGS)
    return Settings(activation=ACTIVATIONS[0]) if is_archive(file) else Settings()


def _huggingface(path: Path) -> Settings:
    towers = [_part(_json(path), name, path) for name in ("vision_config", "text_config")]
    acts = {tower.get("hidden_act", "quick_gelu") for tower in towers}  # what is usual is left out there
    if len(acts) > 1 or not acts <= HIDDEN_ACT.keys():
        raise CheckpointError(
            f"{path}: hidden_act: expected {' or '.join(HIDDEN_ACT)} for both towers, found "
            f"{' and '.join(sorted(map(str, acts)))}"
        )
    heads, text_heads = (_whole(tower, "num_attention_heads", path) for tower in towers)
    return Settings(HIDDEN_ACT[acts.pop()], heads, text_heads)


def _open_clip(path: Path) -> Settings:
    model = _part(_json(path), "model_cfg", path)
    vision, text = (_part(model, name, path) for name in ("vision_cfg", "text_cfg"))
    width, size = _whole(vision, "width", path), _whole(vision, "head_width", path)
    heads = width // size if width and size else None
    return Settings(ACTIVATIONS[not model.get("quick_gelu", False)], heads, _whole(text, "heads", path))


def _json(path: Path) -> dict:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(f"{path}: cannot be read as JSON: {error}") from None
    if not isinstance(found, dict):
        raise CheckpointError(f"{path}: expected settings by name, found a {type(found).__name__}")
    return found


def _part(settings: dict, name: str, path: Path) -> dict:
    found = settings.get(name, {})
    if not isinstance(found, dict):
        raise CheckpointError(f"{path}: {name}: expected settings by name, found {found!r}")
    return found


def _whole(settings: dict, name: str, path: Path) -> int | None:
    found = settings.get(name)
    if found is not None and (not isinstance(found, int) or found < 1):
        raise CheckpointError(f"{path}: {name}: expected a number of 1 or more, found {found!r}")
    return found


def _check_keys(state: dict[str, Tensor], file: Path) -> None:
    name = clip_name(state)
    if name and name.startswith(("RN", "with a ResNet")):
        raise CheckpointError(f"{file}: this is CLIP {name}; one with a vision transformer is needed")
    for key, dimensions in NEEDED.items():
        if key not in state:
            known = "" if name else looks_like(state)
            raise CheckpointError(f"{file}: no CLIP with both towers: {_key(key)} is missing{known}")
        if state[key].ndim != dimensions:
            raise CheckpointError(
                f"{file}: {_key(key)}: expected {dimensions} dimensions, found {tuple(state[key].shape)}"
            )


def _check_widths(state: dict[str, Tensor], file: Path, width: int, text_width: int) -> None:
    """What one tensor says of a size, others must say too; the rest is seen when the net is filled."""
    joint = state["visual.proj"].shape[1]
    for key, dimension, wanted in (
        ("visual.proj", 0, width),
        ("text_projection", 1, joint),
        ("token_embedding.weight", 1, text_width),
    ):
        found = tuple(state[key].shape)
        if found[dimension] != wanted:
            expected = tuple(wanted if place == dimension else size for place, size in enumerate(found))
            raise CheckpointError(f"{file}: {_key(key)}: expected shape {expected}, found {found}")


def _key(name: str) -> str:
    return f"{name} ({THEIRS[name]} on Hugging Face)"


def _blocks(state: dict[str, Tensor], start: str) -> int:
    return len({key[len(start) :].split(".")[0] for key in state if key.startswith(start)})


def _heads(width: int, known: int | None, file: Path) -> int:
    if known and width % known:
        raise CheckpointError(f"{file}: a width of {width} cannot be split among {known} heads")
    if not known and width % HEAD:
        raise CheckpointError(
            f"{file}: how many heads attend is not known for a width of {width}; expected "
            f"num_attention_heads in {SETTINGS} beside it"
        )
    return known or width // HEAD


def _activation(file: Path, told: str | None, given: str | None, usual: str | None) -> str:
    if told and given and told != given:
        raise CheckpointError(f"{file}: what lies beside it says {told}, --activation says {given}")
    found = told or given or usual
    if not found:
        raise CheckpointError(
            f"{file}: nothing beside it says with which activation it was trained ({SETTINGS} or "
            f"{OPEN_SETTINGS} would); give --activation: quick-gelu for OpenAI's CLIP and what was tuned "
            "from it, gelu for most of OpenCLIP's"
        )
    return found
