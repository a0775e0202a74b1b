import pytest
import torch

from assay_training.__main__ import main
from assay_training.checkpoints import CheckpointError
from assay_training.maniqa.checkpoint import load
from assay_training.maniqa.parity import TINY


@pytest.fixture
def state(maniqa_file) -> dict:
    return torch.load(maniqa_file, weights_only=True)


def image() -> torch.Tensor:
    generator = torch.Generator().manual_seed(4)
    return torch.randint(256, (1, 32, 32, 3), generator=generator, dtype=torch.uint8)


def refused(state: dict, path, message: str) -> None:
    torch.save(state, path)
    with pytest.raises(CheckpointError, match=message) as error:
        load(path, 0.8)
    assert str(path) in str(error.value)


def test_sizes_are_read_and_dead_keys_are_told(maniqa_file):
    _, config, dead = load(maniqa_file, 0.8)
    assert config == TINY
    assert "vit.blocks.10.attn.qkv.weight" in dead
    assert "swintransformer2.downsample.weight" in dead
    assert "swintransformer1.layers.0.blocks.1.attn_mask" in dead
    assert not [key for key in dead if key.startswith(("vit.blocks.9", "tablock", "fc_"))]


@pytest.mark.parametrize("wrap", ["module", "state_dict", "halves"])
def test_wrapped_and_halved_states_give_the_same_score(maniqa_file, state, tmp_path, wrap):
    changed = {
        "module": {f"module.{key}": value for key, value in state.items()},
        "state_dict": {"epoch": 3, "state_dict": state, "optimizer": {}},
        "halves": {key: value.half() if value.is_floating_point() else value for key, value in state.items()},
    }[wrap]
    torch.save(changed, tmp_path / "wrapped.pt")
    wanted, found = (float(load(path, 0.8)[0](image())) for path in (maniqa_file, tmp_path / "wrapped.pt"))
    assert found == pytest.approx(wanted, abs=5e-3 if wrap == "halves" else 1e-7)


def test_a_missing_key_is_named(state, tmp_path):
    del state["tablock2.1.c_v.bias"]
    refused(state, tmp_path / "m.pt", r"1 of \d+ keys missing: tablock2\.1\.c_v\.bias")


def test_another_shape_is_named(state, tmp_path):
    state["conv2.weight"] = torch.zeros(60, 128, 1, 1)
    refused(state, tmp_path / "m.pt", r"conv2\.weight: expected shape \(64, 128\), found \(60, 128\)")


def test_a_key_that_is_neither_live_nor_dead_is_named(state, tmp_path):
    state["fc_style.0.weight"] = torch.zeros(2, 2)
    refused(state, tmp_path / "m.pt", r"unexpected key fc_style\.0\.weight")


def test_windows_that_do_not_fill_a_side_are_named(state, tmp_path):
    for key in [key for key in state if key.endswith("relative_position_bias_table")]:
        state[key] = torch.zeros(25, state[key].shape[1])
    refused(state, tmp_path / "m.pt", "windows of 3 patches do not fill the 8 of a side")


def test_ma_agiqa_is_recognised(state, tmp_path):
    state["gating.weight"] = torch.zeros(3, 6)
    refused(state, tmp_path / "m.pt", r"this is MA-AGIQA.*`python -m assay_training convert ma-agiqa`")


def test_the_command_line_says_what_another_net_is(tmp_path, capsys):
    torch.save({"layers.0.weight": torch.zeros(1024, 768), "other": torch.zeros(1)}, tmp_path / "head.pt")
    given = ["--checkpoint", str(tmp_path / "head.pt"), "--trained-on", "koniq10k"]
    assert main(["convert", "maniqa", *given, "--out", str(tmp_path / "out")]) == 1
    printed = capsys.readouterr().err
    assert "no MANIQA: expected tablock1.0.c_q.weight, found layers.0.weight, other" in printed
    assert "This looks like the LAION aesthetic predictor" in printed
    assert not (tmp_path / "out").exists()
