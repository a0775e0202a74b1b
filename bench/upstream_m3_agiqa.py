"""The authors' M3-AGIQA predictor with random weights, on states of a parity report. See upstream.py."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from assay_training.m3_agiqa.config import FULL

CHUNK = 8192  # words whose logits are made at once
# what their module imports and the predictor does not use
UNUSED = {
    "peft": ("AutoPeftModelForCausalLM", "PeftModel", "AutoPeftModel"),
    "torchtune.modules": ("RMSNorm",),
    "mamba_ssm": ("Mamba", "Mamba2"),
    "dataset": ("AGIDataset", "AIGCIQA20kDataset"),
    "constants": ("TRANSFORMS",),
    "pandas": (),
}


def predictor(source: Path, folder: Path) -> tuple[nn.Module, Callable[[Path, str], dict[str, float]]]:
    """Net and judge. Writes the output layer of a language model into FOLDER/upstream-language."""
    net = _net(source)
    head = torch.randn(FULL.vocabulary, FULL.hidden).div(FULL.hidden**0.5).half()
    (folder / "upstream-language").mkdir(exist_ok=True)
    save_file({"llm.lm_head.weight": head}, folder / "upstream-language" / "model.safetensors")
    items = json.loads((folder / "m3-agiqa.json").read_text(encoding="utf-8"))["items"]
    held = {(item["image"], item["prompt"]): _states(item) for item in items}

    def judge(path: Path, prompt: str) -> dict[str, float]:
        states = held[path.name, prompt]
        parts = [states @ head[start : start + CHUNK].float().T for start in range(0, len(head), CHUNK)]
        net.forward_logits = lambda *_: torch.cat(parts, -1)
        return {"quality": float(net.forward(None, None))}

    return net, judge


def _net(source: Path) -> nn.Module:
    """Their head, with the plain backend of xlstm: that of CUDA compiles code for a GPU."""
    import transformers
    import xlstm

    for name, attributes in UNUSED.items():
        for part in (name.partition(".")[0], name):
            module = sys.modules.setdefault(part, ModuleType(part))
            module.__spec__ = ModuleSpec(part, None)
        for attribute in attributes:
            setattr(module, attribute, None)
    language = nn.Module()
    language.config = SimpleNamespace(vocab_size=FULL.vocabulary)
    transformers.AutoModel = SimpleNamespace(from_pretrained=lambda *_, **__: language)
    sys.modules["peft"].PeftModel = SimpleNamespace(from_pretrained=lambda net, *_, **__: net)
    plain = xlstm.sLSTMLayerConfig
    xlstm.sLSTMLayerConfig = lambda **given: plain(**given | {"backend": "vanilla"})
    sys.path.insert(0, str(source))
    from models.MiniCPM import MiniCPMIQA_xLSTMHeader

    options = {"model_max_length": 512, "stage": "train", "pretrained_checkpoint": "", "pooler": "mean"}
    net = MiniCPMIQA_xLSTMHeader(options).eval()
    with torch.no_grad():
        _stir(net)
    return net


def _stir(net: nn.Module) -> None:
    """What begins at zero is set, so that all of it counts; scores lie around 2.5."""
    for name, value in net.xlstm_pooler.named_parameters():
        if "_recurrent_kernel_" in name:
            value += torch.randn_like(value) / 12
        elif "norm" in name or name.endswith("bias"):
            value += 0.1 * torch.randn_like(value)
    net.fc[2].weight *= 10
    net.fc[2].bias += 2.5


def _states(item: dict) -> Tensor:
    (held,) = item["states"].values()
    values = np.frombuffer(base64.b64decode(held["data"]), np.float32).reshape(1, *held["shape"])
    return torch.from_numpy(values.copy())
