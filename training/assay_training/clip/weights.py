"""CLIP weights from any of the forms they are published in, under OpenAI's names."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from assay_training.checkpoints import CheckpointError, fit_state, looks_like, read_state, without_prefix
from assay_training.clip.huggingface import is_huggingface, to_openai
from assay_training.clip.model import Clip, ClipConfig
from assay_training.clip.naming import clip_name, vit_name

HUGGINGFACE = ("model.safetensors", "pytorch_model.bin")
OPEN_CLIP = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
FILES = (*HUGGINGFACE, *OPEN_CLIP)  # of a folder, the preferred one first
MARKS = ("visual.proj", "token_embedding.weight", "visual_projection.weight", "text_projection.weight")
SETTINGS = ("input_resolution", "context_length", "vocab_size")  # numbers that OpenAI stores as buffers


def read_clip(path: Path) -> dict[str, Tensor]:
    """State dict with OpenAI's keys, in the stored dtypes.

    `path`: OpenAI's TorchScript archive, a file or folder of Hugging Face or OpenCLIP, or a plain state dict.
    Nothing stored in it is run. Raises CheckpointError.
    """
    file = weights_file(path)
    state = read_state(file)
    state = {key: value for key, value in without_prefix(state, MARKS).items() if key not in SETTINGS}
    return to_openai(state, file) if is_huggingface(state) else state


def load_clip(path: Path, config: ClipConfig | None = None) -> Clip:
    """A CLIP of the given sizes in float32. Raises CheckpointError if the file holds another one."""
    state, model = read_clip(path), Clip(config)
    check_sizes(state, model.config, path)
    fit_state(model, state, path)
    return model.eval()


def check_sizes(state: dict[str, Tensor], config: ClipConfig, path: Path) -> None:
    """Raises CheckpointError, naming the size that differs, if `state` is a CLIP but not of these sizes."""
    check_name(state, config, path)
    expected = {
        "visual.conv1.weight": (config.width, 3, config.patch, config.patch),
        "visual.positional_embedding": (config.tokens, config.width),
        "visual.proj": (config.width, config.joint),
        "positional_embedding": (config.context, config.text_width),
        "token_embedding.weight": (config.vocabulary, config.text_width),
        "text_projection": (config.text_width, config.joint),
    }
    for key, shape in expected.items():
        if key not in state:
            raise CheckpointError(
                f"{path}: no CLIP with a vision transformer: {key} is missing{looks_like(state)}"
            )
        if tuple(state[key].shape) != shape:
            raise CheckpointError(
                f"{path}: a CLIP of the wrong size: {key}: expected {shape}, found {tuple(state[key].shape)}"
            )
    for prefix, layers in (("visual.transformer", config.layers), ("transformer", config.text_layers)):
        start = f"{prefix}.resblocks."
        found = len({key[len(start) :].split(".")[0] for key in state if key.startswith(start)})
        if found != layers:
            raise CheckpointError(
                f"{path}: a CLIP of the wrong size: {prefix}: expected {layers} blocks, found {found}"
            )


def check_name(state: dict[str, Tensor], config: ClipConfig, path: Path, what: str = "this is CLIP") -> None:
    """Raises CheckpointError if `state` holds a CLIP with a name of its own, and another one is wanted."""
    wanted = vit_name((config.width, 3, config.patch, config.patch), config.tokens)
    found = clip_name(state)
    if found and wanted and found != wanted:
        raise CheckpointError(f"{path}: {what} {found}; {wanted} is needed")


def weights_file(path: Path) -> Path:
    """The file itself, or the one of FILES in a folder. Raises CheckpointError if there is none."""
    if not path.is_dir():
        return path
    for name in FILES:
        if (path / name).is_file():
            return path / name
    raise CheckpointError(
        f"{path}: expected {', '.join(FILES[:-1])} or {FILES[-1]} in the folder, found none"
    )
