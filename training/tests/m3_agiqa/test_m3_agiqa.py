"""The predictor, its checkpoints, and what is made of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from assay_training.__main__ import main
from assay_training.checkpoints import CheckpointError
from assay_training.m3_agiqa.checkpoint import BIAS, KERNEL, fused, load, random_checkpoint
from assay_training.m3_agiqa.config import QUESTIONS, TINY
from assay_training.m3_agiqa.export import FLOAT32, STATES
from assay_training.m3_agiqa.lm_head import read_lm_head
from assay_training.m3_agiqa.package import manifest_of, prepare
from assay_training.m3_agiqa.xlstm import MatrixCell
from assay_training.scorer import open_session
from assay_training.variants import eight_bits, half

SIZE = TINY.width // TINY.heads


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Path, Path]:
    """Checkpoint and folder of the language model."""
    folder = tmp_path_factory.mktemp("m3")
    random_checkpoint(TINY, folder / "best.ckpt", folder / "language", seed=1)
    return folder / "best.ckpt", folder / "language"


def state_of(path: Path) -> dict[str, Tensor]:
    return torch.load(path, weights_only=True)["state_dict"]


def changed(made: tuple[Path, Path], out: Path, change) -> tuple[Path, Path]:
    state = state_of(made[0])
    change(state)
    torch.save({"state_dict": state}, out)
    return out, made[1]


def test_both_maps_are_one(made):
    """Upstream's order: states to logits, logits to numbers, the stack, the mean over positions."""
    model = load(*made, TINY).model
    state = state_of(made[0])
    states = torch.randn(1, 9, TINY.hidden)
    logits = states @ read_lm_head(made[1], TINY.vocabulary, TINY.hidden).float().T
    seen = model.xlstm_pooler(functional.linear(logits, state["model.W.weight"], state["model.W.bias"]))
    with torch.no_grad():
        assert torch.allclose(model(states), model.fc(seen.mean(1)), atol=1e-5)


def test_the_matrix_memory_is_the_recurrence_of_the_paper():
    """Equations 19 to 27 of arXiv 2405.04517, one position after the other."""
    torch.manual_seed(0)
    width, heads, length = 12, 2, 7
    cell = MatrixCell(width, heads)
    q, k, v = torch.randn(3, 1, length, width)
    joined = torch.cat([q, k, v], -1)
    enter, keep = cell.igate(joined)[0], functional.logsigmoid(cell.fgate(joined))[0]
    found = torch.zeros(length, heads, width // heads)
    for head in range(heads):
        part = slice(head * width // heads, (head + 1) * width // heads)
        memory, norm, most = torch.zeros(6, 6), torch.zeros(6), torch.tensor(-1e9)
        for t in range(length):
            key = k[0, t, part] / 6**0.5
            now = torch.maximum(keep[t, head] + most, enter[t, head])
            kept, entered = (keep[t, head] + most - now).exp(), (enter[t, head] - now).exp()
            memory = kept * memory + entered * torch.outer(v[0, t, part], key)
            norm, most = kept * norm + entered * key, now
            length_ = torch.maximum((norm @ q[0, t, part]).abs(), (-most).exp())
            found[t, head] = memory @ q[0, t, part] / length_
    with torch.no_grad():
        wanted = cell.outnorm(found.flatten(1)[None])
        assert torch.allclose(cell(q, k, v), wanted, atol=1e-4)


def test_later_positions_change_nothing_before_them(made):
    pooler = load(*made, TINY).model.xlstm_pooler
    x = torch.randn(1, 8, TINY.width)
    with torch.no_grad():
        assert torch.allclose(pooler(x)[:, :5], pooler(x[:, :5]), atol=1e-5)
        assert (pooler(x[:, 1:])[:, :4] - pooler(x)[:, 1:5]).abs().max() > 1e-3  # but earlier ones do


def test_the_weights_of_both_backends_are_read(made, tmp_path):
    def as_vanilla(state: dict[str, Tensor]) -> None:
        for key, value in list(state.items()):
            if key.endswith(KERNEL):
                state[key] = value.mT.contiguous()
            elif key.endswith(BIAS):
                state[key] = value.view(TINY.heads, 4, SIZE).transpose(0, 1).flatten()

    cuda, vanilla = load(*made, TINY), load(*changed(made, tmp_path / "vanilla.ckpt", as_vanilla), TINY)
    assert (cuda.backend, vanilla.backend) == ("cuda", "vanilla")
    states = torch.randn(1, 5, TINY.hidden)
    with torch.no_grad():
        assert torch.equal(cuda.model(states), vanilla.model(states))


def test_the_output_layer_is_read_alone(tmp_path):
    torch.manual_seed(0)
    head = torch.randn(6, 4).half()
    save_file({"llm.lm_head.weight": head}, tmp_path / "b.safetensors")
    (tmp_path / "a.safetensors").write_bytes(b"never opened")
    index = {"weight_map": {"llm.lm_head.weight": "b.safetensors", "llm.other": "a.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert torch.equal(read_lm_head(tmp_path, 6, 4), head)
    assert torch.equal(read_lm_head(tmp_path / "b.safetensors", 6, 4), head)
    torch.save({"lm_head.base_layer.weight": head}, tmp_path / "c.bin")
    assert torch.equal(read_lm_head(tmp_path / "c.bin", 6, 4), head)
    with pytest.raises(
        CheckpointError, match=r"expected \[7, 4\].*found \[6, 4\]: this is another language model"
    ):
        read_lm_head(tmp_path, 7, 4)
    (tmp_path / "b.safetensors").unlink()
    with pytest.raises(CheckpointError, match="file not found, though the index"):
        read_lm_head(tmp_path, 6, 4)
    save_file({"other": head}, tmp_path / "d.safetensors")
    with pytest.raises(CheckpointError, match=r"expected one tensor named …lm_head.weight, found 0"):
        read_lm_head(tmp_path / "d.safetensors", 6, 4)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(CheckpointError, match="or one file of safetensors, found 0"):
        read_lm_head(empty, 6, 4)


def test_maps_of_many_words_are_multiplied_in_parts():
    map_, head = torch.randn(3, 20_000), torch.randn(20_000, 5)
    assert torch.allclose(fused(map_, head), (map_.double() @ head.double()).float(), atol=1e-3)


FAULTS = [
    (lambda state: state.pop("model.W.weight"), "key W.weight missing"),
    (
        lambda state: state.update({"model.W.weight": torch.zeros(3, 3)}),
        r"W.weight: expected shape \(32, 40\)",
    ),
    (lambda state: state.pop("model.fc.2.bias"), "1 of .* keys missing: fc.2.bias"),
    (lambda state: state.update({"model.fc.9.bias": torch.zeros(3)}), "unexpected key fc.9.bias"),
    (lambda state: state["model.fc.2.bias"].fill_(torch.nan), "fc.2.bias holds what is no finite number"),
]


@pytest.mark.parametrize(("change", "fault"), FAULTS)
def test_checkpoints_that_do_not_fit_are_told(made, tmp_path, change, fault):
    with pytest.raises(CheckpointError, match=fault):
        load(*changed(made, tmp_path / "bad.ckpt", change), TINY)


def test_keys_without_effect_are_left_out_and_told(made, tmp_path):
    more = {"model.model.llm.norm.weight": torch.zeros(2)}
    dead = load(*changed(made, tmp_path / "more.ckpt", lambda state: state.update(more)), TINY).dead
    assert dead == ["metrics_calculator.pearsonr.mean_x", "model.llm.norm.weight"]


def test_the_graph_and_its_smaller_variants(made, tmp_path):
    """That onnxruntime agrees with torch is checked by the export."""
    model = load(*made, TINY).model
    system = prepare(*made, tmp_path, config=TINY)
    assert "`agiqa-3k-quality`" in system.card
    path = system.graphs["score"]
    states = torch.randn(1, 33, TINY.hidden)
    with torch.no_grad():
        wanted = float(model(states))
    half(path, tmp_path / "fp16.onnx", FLOAT32)
    eight_bits(path, tmp_path / "int8.onnx")
    for name, limit in (("fp16", 5e-3), ("int8", 2e-2)):
        session = open_session(tmp_path / f"{name}.onnx", layouts=name != "fp16")
        (found,) = session.run(None, {STATES: states.numpy()})
        assert np.abs(found - wanted).max() < 5 * limit


def test_the_conversation_is_that_of_the_questions(made, tmp_path):
    asked = QUESTIONS["alignment"]
    manifest = manifest_of(asked, 300, TINY)
    assert (manifest["id"], manifest["image"]["input"]) == ("m3-agiqa-alignment", None)
    assert manifest["language"]["inputs"] == [
        {
            "input": "states",
            "turns": [
                {"role": "user", "text": asked.first},
                {"role": "assistant"},
                {"role": "user", "text": asked.second},
            ],
            "pool": "none",
            "maxPositions": 300,
        }
    ]
    assert [name for name, aspect in manifest["aspects"].items() if aspect] == ["alignment"]
    with pytest.raises(ValueError, match="positions: expected at least 1"):
        prepare(*made, tmp_path, positions=0, config=TINY)
    with pytest.raises(ValueError, match="questions: expected one of agiqa-3k-quality, quality"):
        prepare(*made, tmp_path, questions="beauty", config=TINY)


def test_another_system_is_told_at_the_command_line(made, tmp_path, capsys):
    torch.save(
        {"blip.visual_encoder.x": torch.zeros(1), "mlp.layers.0.weight": torch.zeros(1)}, tmp_path / "x.pt"
    )
    command = [
        "convert",
        "m3-agiqa",
        "--checkpoint",
        str(tmp_path / "x.pt"),
        "--lm-head",
        str(made[1]),
        "--questions",
        "quality",
    ]
    assert main([*command, "--out", str(tmp_path / "out")]) == 1
    assert "key W.weight missing. This looks like ImageReward" in capsys.readouterr().err
