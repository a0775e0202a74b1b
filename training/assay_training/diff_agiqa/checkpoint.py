"""Reads Stable Diffusion 1.5, from a folder of diffusers or a single file, and the head's checkpoint."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor, nn

from assay_training.checkpoints import CheckpointError, columns, fit_state, looks_like, read_state
from assay_training.clip.huggingface import to_openai
from assay_training.diff_agiqa import latents, unet
from assay_training.diff_agiqa.config import Config
from assay_training.diff_agiqa.head import DEAD as DEAD_HEAD
from assay_training.diff_agiqa.head import Head
from assay_training.diff_agiqa.latents import Vae
from assay_training.diff_agiqa.ldm import TEXT, UNET, VAE, part, unet_names, vae_names
from assay_training.diff_agiqa.text import TextTower
from assay_training.diff_agiqa.unet import Unet
from assay_training.recognise import listed

PARTS = {  # of a folder of diffusers, and the names of the weights in each
    "unet": "diffusion_pytorch_model",
    "vae": "diffusion_pytorch_model",
    "text_encoder": "model",
}
ENDINGS = (".safetensors", ".fp16.safetensors", ".bin", ".fp16.bin")
OLD_TEXT = "pytorch_model"  # of text_encoder, as .bin
KEYS = {"unet": UNET, "vae": VAE, "text_encoder": TEXT}  # where they are in a single file
ASKS = "attn2.to_k.weight"  # ends the names of what reads the context
FAMILIES = {1024: "Stable Diffusion 2", 2048: "Stable Diffusion XL", 1280: "a refiner of Stable Diffusion XL"}
INPUTS = {9: "a model for inpainting", 8: "a model for edits by instruction", 5: "a model with depth"}


@dataclass
class Sources:
    """Files of the user."""

    diffusion: Path  # folder of diffusers, or a single file
    head: Path
    tokenizer: Path | None = None  # None: in the folder, or beside the file
    _whole: dict[str, Tensor] | None = field(default=None, repr=False)  # a single file is read once

    def weights(self, name: str) -> tuple[dict[str, Tensor], Path]:
        """State of one of PARTS, and the file that it is from. Raises CheckpointError."""
        if self.diffusion.is_dir():
            file = weights_of(self.diffusion, name)
            return read_state(file), file
        whole = self._single()
        found = part(whole, KEYS[name])
        for key in found:
            del whole[KEYS[name] + key]  # each is asked for once: gigabytes, not kept twice
        return found, self.diffusion

    def check(self) -> None:
        """Raises CheckpointError unless the weights of all PARTS are there."""
        if self.diffusion.is_dir():
            for name in PARTS:
                weights_of(self.diffusion, name)
        else:
            self._single()

    def _single(self) -> dict[str, Tensor]:
        if self._whole is None:
            found = read_state(self.diffusion)
            _check_single(found, self.diffusion)
            self._whole = found
        return self._whole

    @property
    def tokenizer_folder(self) -> Path:
        """Where its tokenizer is looked for."""
        inside = self.diffusion / "tokenizer"
        return self.tokenizer or (inside if inside.is_dir() else self.diffusion)


def weights_of(folder: Path, name: str) -> Path:
    """The file with the weights of one of PARTS. Raises CheckpointError."""
    names = [PARTS[name] + ending for ending in ENDINGS]
    if name == "text_encoder":
        names += [OLD_TEXT + ending for ending in ENDINGS[2:]]
    for one in names:
        if (folder / name / one).is_file():
            return folder / name / one
    raise CheckpointError(
        f"{folder}: no folder of diffusers with Stable Diffusion 1.5: expected {name}/{names[0]} (or "
        f"{', '.join(names[1:])}), found {_contents(folder / name)}"
    )


def _contents(folder: Path) -> str:
    if not folder.is_dir():
        return f"no {folder.name}/"
    return listed(sorted(path.name for path in folder.iterdir())) or "an empty folder"


def _check_single(state: dict[str, Tensor], file: Path) -> None:
    if any(key.startswith("conditioner.embedders.") for key in state):
        raise _other_family(file, "conditioner.embedders.*", "no such keys", FAMILIES[2048])
    if any(key.startswith("cond_stage_model.model.") for key in state):
        raise _other_family(file, "cond_stage_model.model.*", TEXT + "*", FAMILIES[1024])
    for name, start in KEYS.items():
        if not any(key.startswith(start) for key in state):
            raise CheckpointError(
                f"{file}: no Stable Diffusion 1.5: expected {start}* ({name}), found "
                f"{listed(state)}{looks_like(state)}"
            )


def _other_family(file: Path, found: str, expected: str, family: str) -> CheckpointError:
    return CheckpointError(f"{file}: expected {expected}, found {found}: this is {family}, 1.5 is needed")


def load_unet(sources: Sources, config: Config) -> Unet:
    """The part that is used, in float32, with the time folded in. Raises CheckpointError."""
    state, file = sources.weights("unet")
    state = unet_names(state)
    _check_family(state, file, config)
    model = Unet(config)
    fit_state(model, state, file, unet.DEAD)
    return _ready(model).fold_time()


def _check_family(state: dict[str, Tensor], file: Path, config: Config) -> None:
    wanted = config.text.text_width
    for key in state:
        width = columns(state, key, file) if key.endswith(ASKS) else wanted
        if width != wanted:
            told = f"this is {FAMILIES[width]}" if width in FAMILIES else "this is another model"
            raise CheckpointError(
                f"{file}: {key}: expected {wanted} columns, as in Stable Diffusion 1.5, found {width}: {told}"
            )
    kernel = state.get("conv_in.weight")
    inputs = kernel.shape[1] if kernel is not None and kernel.ndim == 4 else config.latent
    if inputs != config.latent:
        raise CheckpointError(
            f"{file}: conv_in.weight: expected {config.latent} channels, found {inputs}: this is "
            f"{INPUTS.get(inputs, 'another model')}; the plain Stable Diffusion 1.5 is needed"
        )


def load_vae(sources: Sources, config: Config) -> Vae:
    """The encoder in float32. Raises CheckpointError."""
    state, file = sources.weights("vae")
    model = Vae(config)
    fit_state(model, vae_names(state), file, latents.DEAD)
    return _ready(model)


def load_text(sources: Sources, config: Config) -> TextTower:
    """The text tower in float32. Raises CheckpointError."""
    state, file = sources.weights("text_encoder")
    named = {key if key.startswith("text_model.") else f"text_model.{key}": state[key] for key in state}
    model = TextTower(config)
    _check_text_width(named, file, config)
    fit_state(model, to_openai(named, file), file)
    return _ready(model)


def _check_text_width(state: dict[str, Tensor], file: Path, config: Config) -> None:
    key, wanted = "text_model.embeddings.token_embedding.weight", config.text.text_width
    found = columns(state, key, file) if key in state else wanted
    if found != wanted:
        told = f": this is of {FAMILIES[found]}" if found in FAMILIES else ""
        raise CheckpointError(f"{file}: {key}: expected {wanted} columns, found {found}{told}")


def load_head(path: Path, config: Config) -> Head:
    """The head and the visual prompter in float32. Raises CheckpointError."""
    model = Head(config)
    fit_state(model, read_state(path), path, DEAD_HEAD)
    return _ready(model)


def _ready(model: nn.Module) -> nn.Module:
    return model.eval().requires_grad_(False)
