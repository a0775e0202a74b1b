"""An adapter put into the files of its base."""

from __future__ import annotations

import json
import math
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


def low(
    layer: str, rank: int, out: int = 5, fill: float = 0.0, dtype=torch.float32
) -> dict[str, torch.Tensor]:
    """A change of one layer with 4 inputs."""
    down, up = torch.full((rank, 4), fill), torch.full((out, rank), fill)
    return {f"{ADAPTED}{layer}.lora_A.weight": down.to(dtype), f"{ADAPTED}{layer}.lora_B.weight": up}


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
        ({}, {f"{ADAPTED}{V}.lora_B.weight": torch.zeros(5, 2)}, "v_proj.lora_B.weight: expected ….lora_A"),
        (
            {},
            low(V, 3),
            "expected [2, …], as r of adapter_config.json says, and […, 2] beside it, found [3, 4]",
        ),
        ({}, low(V, 2, out=9), "v_proj.weight: expected a change of [5, 4], found one of [9, 4]"),
        ({}, low(V, 2, fill=math.nan), "v_proj.lora_A.weight holds what is no finite number"),
        ({}, low(V, 2, dtype=torch.int8), "expected floating-point numbers, found torch.int8"),
        ({}, low(Q, 2, out=6, fill=1e5), "q_proj.weight: with the adapter it holds what is no finite number"),
        ({"r": "2"}, {}, "r: expected a whole number from 1 on, found '2'"),
        ({"r": -2}, {}, "r: expected a whole number from 1 on, found -2"),
        ({"lora_alpha": math.nan}, {}, "lora_alpha: expected a finite number, found nan"),
    ],
)
def test_what_does_not_fit_is_told_and_nothing_is_left(tmp_path, capsys, config, more, fault):
    assert main(write(tmp_path, config, **more)) == 1
    assert fault in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter", "base"]


@pytest.mark.parametrize(
    ("name", "data", "fault"),
    [
        ("adapter/adapter_config.json", b"{", "expected JSON"),
        ("adapter/adapter_config.json", b"[]", "expected a JSON object, found a list"),
        ("adapter/adapter_model.safetensors", b"12345678", "adapter_model.safetensors: "),
        ("base/model-2.safetensors", b"12345678", "model-2.safetensors: cannot be read as safetensors"),
        ("out", b"mine", "expected nothing there, found a file"),
    ],
)
def test_files_that_cannot_be_used_are_named_and_nothing_is_left(tmp_path, capsys, name, data, fault):
    command = write(tmp_path)
    (tmp_path / name).write_bytes(data)
    before = sorted(tmp_path.rglob("*"))
    assert main(command) == 1
    assert fault in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / name).read_bytes() == data


def test_nothing_is_overwritten(tmp_path, capsys):
    command = write(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("")
    assert main(command) == 1
    assert "expected nothing there" in capsys.readouterr().err
