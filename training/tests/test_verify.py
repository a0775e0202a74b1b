import json
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto

from assay_training.__main__ import main
from assay_training.calibration import fit
from assay_training.folder import fill_folder
from assay_training.graph import Graph
from assay_training.verify import VerifyError, check_files, check_golden, check_invariance, verify

SHIPPED = Path(__file__).resolve().parents[2] / "models" / "assay-lite"
SIDE = 32
WEIGHT = np.array([[0.013, -0.002, 0.004], [0.001, 0.0015, -0.002]], np.float32)
# the second variant is what the first becomes in coarse steps, so that their scores differ
WEIGHTS = {"fp32": WEIGHT, "int8": WEIGHT.round(2)}


def write_graph(path: Path, weight: np.ndarray, mixing: bool = False) -> None:
    """Mean colour, times a weight; with `mixing`, images of one batch change each other's output."""
    graph = Graph("tiny")
    colour = graph.node(
        "ReduceMean", graph.node("Cast", "image", to=TensorProto.FLOAT), axes=[1, 2], keepdims=0
    )
    if mixing:
        colour = graph.node("Sub", colour, graph.node("ReduceMean", colour, axes=[0], keepdims=1))
    bias = graph.constant(np.array([0.5, 0.4], np.float32), "bias")
    graph.node("Gemm", colour, graph.constant(weight, "weight"), bias, transB=1, name="quality")
    graph.save(path, {"image": (np.uint8, ["n", SIDE, SIDE, 3])}, {"quality": (np.float32, ["n", 2])})


def described() -> dict:
    """The manifest of a scorer without prompts, in two variants."""
    image = {"input": "image", "width": SIDE, "height": SIDE, "resize": "stretch", "kernel": "cubic"}
    return {
        "id": "tiny",
        "defaultVariant": "int8",
        "variants": {variant: {"graphs": {"score": f"{variant}.onnx"}} for variant in WEIGHTS},
        "image": image | {"layout": "nhwc", "dtype": "uint8"},
        "text": None,
        "aspects": {
            "quality": {"output": "quality", "range": [0, 5], "needsPrompt": False},
            "alignment": None,
        },
        "calibration": "calibration.json",
        "golden": "golden.json",
    }


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """A complete model folder around two hand-made graphs."""
    folder = tmp_path_factory.mktemp("model")
    for variant, weight in WEIGHTS.items():
        write_graph(folder / f"{variant}.onnx", weight)
    rng = np.random.default_rng(0)
    rated = rng.uniform(0.5, 4.5, 300)
    raw = np.stack([rated + rng.normal(0, 0.3, 300), np.full(300, 0.3)], 1)
    calibration = {"version": 1, "fittedOn": "nothing", "aspects": {"quality": fit(raw, rated).to_json()}}
    fill_folder(folder, [f"{variant}.onnx" for variant in WEIGHTS], calibration, described())
    return folder


def manifest(folder: Path) -> dict:
    return json.loads((folder / "manifest.json").read_text())


def linked(model: Path, folder: Path, but: str) -> Path:
    """The same folder in another place, where the file `but` is left to the test."""
    for path in model.iterdir():
        if path.name != but:
            (folder / path.name).symlink_to(path)
    return folder / but


def test_filled_folder_passes(model, capsys):
    assert main(["verify", str(model)]) == 0
    files, *others = capsys.readouterr().out.splitlines()
    count = len(manifest(model)["files"])
    assert files == f"files: {count} hashes match"
    assert [" ".join(line.split()[:2]) for line in others] == [
        "golden: fp32",
        "golden: int8",
        "invariance: fp32",
        "invariance: int8",
    ]


def test_filled_folder_is_small_and_lists_every_data_file(model):
    files = {str(path.relative_to(model)) for path in model.rglob("*") if path.is_file()}
    assert files - {"manifest.json"} == set(manifest(model)["files"])
    assert all(path.stat().st_size < 60_000 for path in model.rglob("*.png"))


def test_golden_results_are_those_of_each_variant_and_have_no_prompt(model):
    items = json.loads((model / "golden.json").read_text())["items"]
    assert {item["prompt"] for item in items} == {None}
    scores = {variant: [item["expect"][variant]["quality"]["score"] for item in items] for variant in WEIGHTS}
    assert min(abs(a - b) for a, b in zip(*scores.values(), strict=True)) > max(i["tolerance"] for i in items)
    assert all(0 < min(found) < max(found) < 5 for found in scores.values())  # differences show


def test_changed_and_missing_files_are_named(model, tmp_path):
    changed = linked(model, tmp_path, "calibration.json")
    with pytest.raises(VerifyError, match=r"calibration\.json: listed in manifest\.json, but missing"):
        list(check_files(tmp_path, manifest(tmp_path)))
    changed.write_text("{}")
    with pytest.raises(VerifyError, match=r"calibration\.json: expected .*, found"):
        list(check_files(tmp_path, manifest(tmp_path)))


def test_wrong_golden_score_is_named(model, tmp_path):
    golden = json.loads((model / "golden.json").read_text())
    golden["items"][0]["expect"]["fp32"]["quality"]["percentile"] += 0.5
    linked(model, tmp_path, "golden.json").write_text(json.dumps(golden))
    with pytest.raises(VerifyError, match=r"golden/scene\.png fp32: quality percentile: expected"):
        list(check_golden(tmp_path, manifest(tmp_path)))


def test_a_graph_that_gives_other_scores_is_named(model, tmp_path):
    write_graph(linked(model, tmp_path, "fp32.onnx"), 1.1 * WEIGHT)
    with pytest.raises(VerifyError, match=r"fp32: quality score: expected .* within 0\.01, found"):
        list(check_golden(tmp_path, manifest(tmp_path)))


def test_a_graph_that_depends_on_the_batch_is_named(model, tmp_path):
    write_graph(linked(model, tmp_path, "int8.onnx"), WEIGHT, mixing=True)
    found = check_invariance(tmp_path, manifest(tmp_path))
    assert next(found).startswith("invariance: fp32 quality")
    with pytest.raises(VerifyError, match=r"int8 quality: outputs differ by .* between batches or threads"):
        next(found)


def test_missing_folder_is_an_error_message_not_a_traceback(tmp_path, capsys):
    assert main(["verify", str(tmp_path)]) == 1
    assert "manifest.json: file not found" in capsys.readouterr().err


@pytest.mark.skipif(not SHIPPED.exists(), reason="models/assay-lite is not in this checkout")
def test_shipped_model_verifies(capsys):
    verify(SHIPPED)
    assert "differ by" in capsys.readouterr().out
