import json
from pathlib import Path

import numpy as np
import pytest

from assay_training.__main__ import main
from assay_training.lite.export import export, int8
from assay_training.lite.package import package
from assay_training.verify import VerifyError, check_files, check_golden, verify

SHIPPED = Path(__file__).resolve().parents[2] / "models" / "assay-lite"


@pytest.fixture(scope="module")
def model(net, tmp_path_factory) -> Path:
    """A complete model folder around a random net."""
    nets, folder = tmp_path_factory.mktemp("nets"), tmp_path_factory.mktemp("model")
    rng = np.random.default_rng(0)
    export(net, nets / "fp32.onnx")
    int8(nets / "fp32.onnx", nets / "int8.onnx", [rng.integers(0, 256, (1, 320, 320, 3), np.uint8)])
    rated = rng.uniform(0.5, 4.5, 300)
    raw = np.stack([rated + rng.normal(0, 0.3, 300), np.full(300, 0.3)], 1)
    package(folder, nets, raw, rated, "int8")
    return folder


def manifest(folder: Path) -> dict:
    return json.loads((folder / "manifest.json").read_text())


def test_packaged_folder_passes(model):
    assert len(list(check_files(model, manifest(model)))) == 1
    assert len(list(check_golden(model, manifest(model)))) == 2


def test_packaged_folder_is_small_and_lists_every_data_file(model):
    files = {str(path.relative_to(model)) for path in model.rglob("*") if path.is_file()}
    assert files - {"manifest.json"} == set(manifest(model)["files"])
    assert sum(path.stat().st_size for path in model.rglob("*") if path.is_file()) < 20e6
    assert all(path.stat().st_size < 60_000 for path in model.rglob("*.png"))


def test_changed_file_is_named(model, tmp_path):
    listed = manifest(model)
    listed["files"] = {"calibration.json": listed["files"]["calibration.json"]}
    (tmp_path / "calibration.json").write_text("{}")
    with pytest.raises(VerifyError, match=r"calibration\.json: expected .*, found"):
        list(check_files(tmp_path, listed))


def test_wrong_golden_score_is_named(model, tmp_path):
    for path in model.iterdir():
        (tmp_path / path.name).symlink_to(path)
    golden = json.loads((model / "golden.json").read_text())
    golden["items"][0]["expect"]["fp32"]["quality"]["percentile"] += 0.5
    (tmp_path / "golden.json").unlink()
    (tmp_path / "golden.json").write_text(json.dumps(golden))
    with pytest.raises(VerifyError, match=r"golden/scene\.png fp32: quality percentile: expected"):
        list(check_golden(tmp_path, manifest(tmp_path)))


def test_missing_folder_is_an_error_message_not_a_traceback(tmp_path, capsys):
    assert main(["verify", str(tmp_path)]) == 1
    assert "manifest.json: file not found" in capsys.readouterr().err


@pytest.mark.skipif(not SHIPPED.exists(), reason="models/assay-lite is not in this checkout")
def test_shipped_model_verifies(capsys):
    verify(SHIPPED)
    assert "differ by" in capsys.readouterr().out
