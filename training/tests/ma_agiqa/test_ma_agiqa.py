import numpy as np
import onnx
import pytest
import torch

from assay_training.__main__ import main
from assay_training.checkpoints import CheckpointError
from assay_training.language import inputs_of, stand_ins
from assay_training.ma_agiqa.checkpoint import load, random_checkpoint
from assay_training.ma_agiqa.export import export_graphs
from assay_training.ma_agiqa.package import manifest_of, prepare
from assay_training.maniqa.checkpoint import random_checkpoint as random_maniqa
from assay_training.maniqa.package import image_spec
from assay_training.maniqa.parity import TINY
from assay_training.scorer import open_session

WIDTH = 40

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoints") / "ma-agiqa.pt"
    random_checkpoint(TINY, WIDTH, path, seed=0)
    return path


@pytest.fixture
def state(path) -> dict:
    return torch.load(path, weights_only=True)


def inputs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(5)
    images = torch.randint(256, (2, 32, 32, 3), generator=generator, dtype=torch.uint8)
    return images, torch.randn(2, WIDTH, generator=generator), torch.randn(2, WIDTH, generator=generator)


def refused(state: dict, path, message: str) -> None:
    torch.save(state, path)
    with pytest.raises(CheckpointError, match=message):
        load(path)


@torch.no_grad()
def test_three_experts_are_mixed_by_the_gate(path, state):
    images, semantic, coherence = inputs()
    for gate, share in (("linear", lambda x: x), ("sigmoid", torch.sigmoid)):
        model, *_ = load(path, gate)
        scores, weights = model.patches(images)
        layer = lambda name, x: x @ state[f"{name}.weight"].T + state[f"{name}.bias"]  # noqa: E731
        said = [
            layer("fc4096_784_a2.0", semantic).relu(),
            layer("fc4096_784_b2.0", coherence).relu(),
            layer("fc784_784", scores * weights),
        ]
        shares = share(layer("gating", torch.cat(said, 1)))
        mixed = torch.stack([(shares[n, :, None] * torch.stack([s[n] for s in said])).sum(0) for n in (0, 1)])
        torch.testing.assert_close(
            model(images, semantic, coherence), layer("output_fc", mixed)[:, 0], atol=1e-4, rtol=1e-4
        )


@torch.no_grad()
def test_each_state_has_its_own_place(path):
    model, *_ = load(path)
    images, semantic, coherence = inputs()
    assert not torch.allclose(
        model(images, semantic, coherence), model(images, coherence, semantic), atol=1e-2
    )


def test_the_graphs_hold_no_choice_by_data_and_constants_are_folded(path, tmp_path):
    model, config, width, _ = load(path)
    paths = export_graphs(model, config, width, tmp_path)
    graph = onnx.load(paths["image"]).graph
    found = {node.op_type for node in graph.node}
    assert not found & {"NonZero", "Where", "GatherND", "ScatterND", "Loop", "If", "TopK", "Unique", "Range"}
    constants = {tensor.name for tensor in graph.initializer}
    # the tables of biases are gathered and masked before
    assert not any("bias_table" in name for name in constants)
    images, semantic, coherence = inputs()
    (seen,) = open_session(paths["image"]).run(None, {"image": images.numpy()})
    feeds = {"seen": seen, "semantic": semantic.numpy(), "coherence": coherence.numpy()}
    (quality,) = open_session(paths["score"]).run(None, feeds)
    np.testing.assert_allclose(quality[:, 0], model(images, semantic, coherence).numpy(), atol=1e-4)


def test_the_manifest_says_what_is_asked_of_which_model():
    manifest = manifest_of(image_spec(TINY, "whole"), 4096, (0.0, 5.0))
    language = manifest["language"]
    assert (language["model"], language["width"]) == ("MAGAer13/mplug-owl2-llama2-7b", 4096)
    first, second = language["inputs"]
    assert first["input"] == "semantic"
    assert first["turns"][0]["text"].endswith("due to a lack of meaningful semantic content.\n{image}")
    assert second["turns"] == [
        {
            "role": "user",
            "text": "Evaluate if the image quality is compromised due to violations of coherence.\n{image}",
        }
    ]
    assert {one["pool"] for one in language["inputs"]} == {"mean"}
    assert inputs_of(language) == {"semantic", "coherence"}


def test_stand_ins_are_the_daemons():
    """Numbers computed by hand from the rule of src/reward/language.ts."""
    asked = [{"input": "a", "pool": "mean"}, {"input": "b", "pool": "none", "maxPositions": 2}]
    found = stand_ins({"width": 3, "inputs": asked}, 2)
    np.testing.assert_allclose(found["a"], [[-1, -0.66, -0.32]] * 2, atol=1e-6)
    np.testing.assert_allclose(found["b"], [[[-1, -0.66, -0.32], [-0.38, -0.04, 0.3]]] * 2, atol=1e-6)
    assert stand_ins(None, 2) == {}


def test_dead_heads_are_told_and_live_ones_are_needed(path, state, tmp_path):
    *_, dead = load(path)
    assert {"fc_output.0.weight", "fc4096_1024_a.bias", "quality.1.bias"} <= set(dead)
    del state["output_fc.bias"]
    refused(state, tmp_path / "ma.pt", r"1 of \d+ keys missing: output_fc\.bias")


def test_a_head_of_another_width_is_named(state, tmp_path):
    state["fc4096_784_b2.0.weight"] = torch.zeros(64, WIDTH + 1)
    refused(
        state, tmp_path / "ma.pt", r"fc4096_784_b2\.0\.weight: expected shape \(64, 40\), found \(64, 41\)"
    )
    state["fc4096_784_b2.0.weight"] = torch.zeros(64, WIDTH)
    state["fc784_784.weight"] = torch.zeros(63, 63)
    refused(state, tmp_path / "ma.pt", r"fc784_784\.weight: expected shape \(64, 64\), found \(63, 63\)")


def test_maniqa_is_recognised(tmp_path):
    random_maniqa(TINY, tmp_path / "maniqa.pt", 0)
    with pytest.raises(CheckpointError, match=r"no MA-AGIQA: expected gating\.weight.* looks like MANIQA"):
        load(tmp_path / "maniqa.pt")


def test_unknown_options_are_named(path, tmp_path):
    with pytest.raises(ValueError, match="gate: expected one of linear, sigmoid, found softmax"):
        prepare(path, tmp_path, gate="softmax")
    with pytest.raises(ValueError, match="range: expected the lowest"):
        prepare(path, tmp_path, limits=(5.0, 0.0))


def test_pictures_are_refused_since_nobody_is_asked_about_them(path, tmp_path, capsys, monkeypatch):
    graphs = {name: tmp_path / f"{name}.onnx" for name in ("image", "score")}
    monkeypatch.setattr("assay_training.ma_agiqa.package.export_graphs", lambda *_: graphs)
    given = ["--checkpoint", str(path), "--images", str(tmp_path), "--out", str(tmp_path / "out")]
    assert main(["convert", "ma-agiqa", *given]) == 1
    assert "scores need MAGAer13/mplug-owl2-llama2-7b, which conversion" in capsys.readouterr().err


def test_a_number_where_a_matrix_is_expected_is_named(state, tmp_path):
    state["fc4096_784_a2.0.weight"] = torch.zeros(())
    refused(
        state,
        tmp_path / "odd.pt",
        r"odd\.pt: fc4096_784_a2\.0\.weight: expected a matrix, found one of shape \(\)",
    )
