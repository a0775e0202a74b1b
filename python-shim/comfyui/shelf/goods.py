"""The tensors of one kept image, and the file that holds them: safetensors, which keeps every number as it is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

_LATENT = "latent."


@dataclass
class Goods:
    """A picture [1, H, W, C], its mask [1, H, W] and its latent, where it has them."""

    image: object
    mask: object | None = None
    latent: dict | None = None

    def size(self) -> int:
        """Bytes of all of it."""
        return sum(tensor.numel() * tensor.element_size() for tensor in self._tensors().values())

    def save(self, path: Path) -> None:
        """Whole or not at all. Raises OSError."""
        from safetensors.torch import save_file

        part = path.with_suffix(".part")
        # Copies, since the format takes no two tensors of one memory, as a mask that is a channel of its image has.
        tensors = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in self._tensors().items()}
        try:
            save_file(tensors, str(part), {"latent": json.dumps(self._plain())})
            part.replace(path)
        except Exception as cause:
            part.unlink(missing_ok=True)
            raise cause if isinstance(cause, OSError) else OSError(str(cause)) from cause

    def _tensors(self) -> dict:
        found = {"image": self.image, "mask": self.mask}
        found.update({_LATENT + key: value for key, value in (self.latent or {}).items() if _is_tensor(value)})
        return {name: tensor for name, tensor in found.items() if tensor is not None}

    def _plain(self) -> dict:
        return {key: value for key, value in (self.latent or {}).items() if not _is_tensor(value)}


def goods_in(path: Path) -> Goods:
    """Raises OSError and what safetensors raises for a file that is none of its own."""
    from safetensors import safe_open

    with safe_open(str(path), framework="pt") as file:
        names = file.keys()
        tensors = {name: file.get_tensor(name) for name in names}
        plain = json.loads((file.metadata() or {}).get("latent", "{}"))
    latent = {name[len(_LATENT) :]: tensor for name, tensor in tensors.items() if name.startswith(_LATENT)}
    return Goods(tensors["image"], tensors.get("mask"), {**plain, **latent} if latent else None)


def storable(latent: dict | None) -> tuple[dict | None, list[str]]:
    """What of a latent a file can hold, and the names of what it cannot; None without its samples."""
    if latent is None:
        return None, []
    kept = {key: value for key, value in latent.items() if _is_tensor(value) or _is_plain(value)}
    lost = [str(key) for key in latent if key not in kept]
    return (kept if _is_tensor(kept.get("samples")) else None), lost


def _is_tensor(value: object) -> bool:
    import torch

    return isinstance(value, torch.Tensor)


def _is_plain(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, (str, int, float, bool))
