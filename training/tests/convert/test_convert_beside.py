"""Graphs whose weights are in a file of their own, as those of more than 2 GB must be."""

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from assay_training import beside, variants
from assay_training.convert import System, make_folder
from assay_training.onnx_export import export
from assay_training.scorer import open_session
from assay_training.variants import eight_bits, half
from assay_training.verify import verify

SIDE = 16


class Convolved(nn.Module):
    """A convolution and a product, each with enough weights for 8 bits."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.last = nn.Conv2d(3, 32, 5, padding=2), nn.Linear(32 * SIDE * SIDE, 2)

    def forward(self, image: Tensor) -> Tensor:
        x = torch.relu(self.conv(image.float().movedim(-1, 1) / 255 - 0.5))
        x = nn.functional.interpolate(x, scale_factor=2.0, mode="nearest")  # stays in float32 in half
        return torch.sigmoid(self.last(x[:, :, ::2, ::2].flatten(1)))[:, :1] * 5


@pytest.fixture(autouse=True)
def outside(monkeypatch):
    monkeypatch.setattr(beside, "MOST_BYTES", 1000)


@pytest.fixture
def source(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "made" / "fp32.onnx"
    path.parent.mkdir()
    image = torch.randint(256, (1, SIDE, SIDE, 3), dtype=torch.uint8)
    export(Convolved(), {"image": image}, ["quality"], path)
    assert beside.is_beside(path)
    assert path.stat().st_size < 20_000
    return path


def run(path, image):
    return open_session(path, layouts="half" not in path.name).run(None, {"image": image})[0]


@pytest.mark.parametrize(("make", "tolerance"), [(beside.copy, 0), (half, 5e-3), (eight_bits, 2e-2)])
def test_every_form_of_them_has_its_own_weights_beside_it(source, tmp_path, make, tolerance, monkeypatch):
    image = np.random.default_rng(0).integers(0, 256, (3, SIDE, SIDE, 3), np.uint8)
    wanted, target = run(source, image), tmp_path / f"{make.__name__}.onnx"
    make(source, target)
    beside.data_file(source).unlink()
    found = run(target, image)
    assert np.abs(found - wanted).max() <= tolerance * 5
    assert (np.abs(found - wanted).max() > 0) == (tolerance > 0)


def test_large_convolutions_keep_8_bits_for_each_weight(source, tmp_path, monkeypatch):
    monkeypatch.setattr(variants, "MANY_WEIGHTS", 1000)
    image = np.random.default_rng(0).integers(0, 256, (3, SIDE, SIDE, 3), np.uint8)
    eight_bits(source, tmp_path / "int8.onnx")
    graph = onnx.load(tmp_path / "int8.onnx").graph
    assert "DequantizeLinear" in [node.op_type for node in graph.node]
    stored = {tuple(tensor.dims): tensor.data_type for tensor in graph.initializer}
    assert stored[(32, 3, 5, 5)] == onnx.TensorProto.INT8
    assert 0 < np.abs(run(tmp_path / "int8.onnx", image) - run(source, image)).max() < 0.1


def test_a_folder_lists_them(source, tmp_path):
    apart = make_folder(system(source), tmp_path / "tiny", int8=True)
    assert apart["int8"]["quality"].pairs == 4  # of a slow scorer
    names = {path.name for path in (tmp_path / "tiny").glob("*.onnx*")}
    assert names == {f"tiny.score.{kind}.onnx{end}" for kind in ("fp32", "int8") for end in ("", ".data")}
    verify(tmp_path / "tiny")
    (tmp_path / "tiny" / "tiny.score.int8.onnx.data").unlink()
    with pytest.raises(ValueError, match=r"int8\.onnx\.data: listed in manifest\.json, but missing"):
        verify(tmp_path / "tiny")


def system(source) -> System:
    quality = {"output": "quality", "kind": "mean", "range": [0, 5], "needsPrompt": False}
    manifest = {
        "id": "tiny", "version": "1.0.0", "title": "Tiny", "description": "-", "license": "MIT",
        "source": "-",
        "image": {
            "input": "image", "width": SIDE, "height": SIDE, "resize": "stretch", "kernel": "pillow-cubic",
            "layout": "nhwc", "dtype": "uint8", "minSide": 16, "maxAspectRatio": 4,
        },
        "text": None,
        "graphs": [{"graph": "score", "per": "pair"}],
        "aspects": {"quality": quality, "alignment": None, "authenticity": None},
        "reward": {"weights": {"quality": 1}},
        "maxBatch": 2,
    }  # fmt: skip
    return System({"score": source}, None, manifest, "# Tiny", slow=True)
