"""An adapter put into the files of its base."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from assay_training.__main__ import main

Q, V = "llm.model.layers.0.self_attn.q_proj", "llm.model.layers.0.self_attn.v_proj"
ADAPTED = "base_model.model."
CONFIG = {"peft_type": "LORA", "r": 2, "lora_alpha": 8}


def write(tmp_path: Path, config: dict | None = None, **more: torch.Tensor) -> list[str]:
    """Base and adapter; the arguments of the command."""
    torch.manual_seed(0)
    base, adapter = tmp_path / "base", tmp_path / "adapter"
    for folder in (base, adapter):
        folder.mkdir()
    save_file({f"{Q}.weight": torch.randn(6, 4).half(), "kept": torch.randn(3)}, base / "model-1.safetensors")
    save_file(
        {f"{V}.weight": torch.randn(5, 4), "resampler.proj": torch.randn(2)}, base / "model-2.safetensors"
    )
    (base / "config.json").write_text("{}")
    (base / "model.safetensors.index.json").write_text("{}")
    (base / "pytorch_model.bin").write_bytes(b"old")
    low = {
        f"{ADAPTED}{Q}.lora_A.weight": torch.randn(2, 4),
        f"{ADAPTED}{Q}.lora_B.weight": torch.randn(6, 2),
        f"{ADAPTED}resampler.modules_to_save.default.proj": torch.tensor([1.0, 2.0]),
    }
    save_file(low | more, adapter / "adapter_model.safetensors")
    (adapter / "adapter_config.json").write_text(json.dumps(CONFIG | (config or {})))
    return ["merge-lora", "--base", str(base), "--adapter", str(adapter), "--out", str(tmp_path / "out")]


@pytest.mark.parametrize(("config", "scale"), [({}, 4), ({"use_rslora": True}, 8 / 2**0.5)])
def test_weights_get_the_change_and_the_rest_stays(tmp_path, config, scale):
    assert main(write(tmp_path, config)) == 0
    base, out = tmp_path / "base", tmp_path / "out"
    found = load_file(out / "model-1.safetensors") | load_file(out / "model-2.safetensors")
    old = load_file(base / "model-1.safetensors") | load_file(base / "model-2.safetensors")
    low = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    change = low[f"{ADAPTED}{Q}.lora_B.weight"] @ low[f"{ADAPTED}{Q}.lora_A.weight"] * scale
    assert torch.equal(found[f"{Q}.weight"], (old[f"{Q}.weight"].float() + change).half())
    assert found["resampler.proj"].tolist() == [1, 2]
    assert torch.equal(found["kept"], old["kept"])
    assert torch.equal(found[f"{V}.weight"], old[f"{V}.weight"])
    assert sorted(path.name for path in out.iterdir()) == [
        "config.json", "model-1.safetensors", "model-2.safetensors", "model.safetensors.index.json",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("config", "more", "fault"),
    [
        ({"use_dora": True}, {}, "use_dora: not known here; merge it with PEFT"),
        ({"peft_type": "IA3"}, {}, "expected peft_type LORA"),
        ({}, {f"{ADAPTED}{V}.lora_A.weight": torch.zeros(2, 4)}, "v_proj.lora_B.weight is not"),
        ({}, {f"{ADAPTED}other.weight": torch.zeros(2)}, "changes other.weight, which"),
        ({}, {f"{ADAPTED}kept": torch.zeros(7)}, "kept: expected a change of [3], found one of [7]"),
        ({}, {f"{ADAPTED}x.lora_embedding_A": torch.zeros(2)}, "expected pairs of"),
    ],
)
def test_what_does_not_fit_is_told(tmp_path, capsys, config, more, fault):
    assert main(write(tmp_path, config, **more)) == 1
    assert fault in capsys.readouterr().err


def test_nothing_is_overwritten(tmp_path, capsys):
    command = write(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("")
    assert main(command) == 1
    assert "expected nothing there" in capsys.readouterr().err
