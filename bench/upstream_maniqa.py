"""The authors' MANIQA and MA-AGIQA with random weights, on what their data sets make of a file."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from assay_training.ma_agiqa.checkpoint import centre_mix
from assay_training.ma_agiqa.config import QUESTIONS
from assay_training.ma_agiqa.parity import states_of
from assay_training.maniqa.checkpoint import centre
from assay_training.maniqa.config import SETS, BranchConfig
from assay_training.maniqa.package import image_spec
from assay_training.maniqa.parity import BY_VIEW
from assay_training.prepare import prepare

VIEWS = {"maniqa": "whole", "maniqa-windows": "windows", "ma-agiqa": "whole"}  # by system
SIZES = {
    "embed_dim": 768, "num_outputs": 1, "dim_mlp": 768, "patch_size": 8, "img_size": 224, "window_size": 4,
    "depths": [2, 2], "num_heads": [4, 4], "num_tab": 2,
}  # fmt: skip
STATE = 4096  # numbers of a language model's state
FILES = {"semantic": "semantic_content", "coherence": "coherence"}  # names of the files of states


def patches(
    source: Path, system: str, work: Path, draw: Callable[[nn.Module], None]
) -> tuple[nn.Module, Callable[[Path, str], dict[str, float]]]:
    """The authors' net, its weights set by `draw`, and what it says of a file.

    Their timm would fetch weights, and their nets put an empty tensor on the GPU.
    """
    sys.path.insert(0, str(source))
    import timm

    create = timm.create_model
    timm.create_model = lambda name, pretrained=False, **more: create(name, **more)
    Tensor.cuda = lambda self, *_: self
    scale = SETS[BY_VIEW[VIEWS[system]]].scale
    if system == "ma-agiqa":
        from models.MA_AGIQA import MA_AGIQA as Net
    else:
        from models.maniqa import MANIQA as Net
    net = Net(**SIZES, scale=scale).eval()
    draw(net)
    with torch.no_grad():
        centre(net.state_dict())
        if system == "ma-agiqa":
            centre_mix(net.state_dict())
    views = {"maniqa": _whole, "maniqa-windows": _windows, "ma-agiqa": _with_states}[system]

    def judge(path: Path, prompt: str) -> dict[str, float]:
        images, states = views(path, work)
        return {"quality": float(net(images, **states).mean())}

    return net, judge


def _transform(sample: dict) -> dict:
    from utils.process import Normalize, ToTensor

    return ToTensor()(Normalize(0.5, 0.5)(sample))


def _whole(path: Path, work: Path) -> tuple[Tensor, dict]:
    """By the data set of KonIQ-10k, which wants two images with different ratings."""
    from data.koniq10k.koniq10k import Koniq10k

    labels = work / "upstream.txt"
    labels.write_text(f"{path.name} 0\n{path.name} 1\n", encoding="utf-8")
    data = Koniq10k(str(path.parent), str(labels), [path.name], _transform, 1.0)
    return data[0]["d_img_org"][None], {}


def _windows(path: Path, work: Path) -> tuple[Tensor, dict]:
    """The authors' windows lie at random; these lie where the daemon's do."""
    spec = image_spec(BranchConfig(), "windows")
    cut = prepare(Image.open(path), spec)[spec["input"]].astype(np.float32).transpose(0, 3, 1, 2) / 255
    return torch.cat(
        [_transform({"d_img_org": one, "score": np.zeros(1)})["d_img_org"][None] for one in cut]
    ), {}


def _with_states(path: Path, work: Path) -> tuple[Tensor, dict]:
    """By their data set, with files of states as their own script writes them."""
    from data.AIGC_general import AIGCgeneral

    held, folder = states_of(Image.open(path), STATE), work / "states"
    folder.mkdir(exist_ok=True)
    for name, question in QUESTIONS.items():
        torch.save(torch.from_numpy(held[question])[None], folder / f"{path.stem}_{FILES[name]}.pt")
    data = AIGCgeneral(str(path.parent), [0], [path.name], _transform, 1.0, tensor_root=str(folder))
    found = data[0]
    return found["d_img_org"][None], {"tensor1": found["tensor_1"][None], "tensor2": found["tensor_2"][None]}
