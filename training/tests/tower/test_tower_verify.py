import json
from pathlib import Path

import numpy as np
import pytest

from assay_training import verify as verifying
from assay_training.calibration import fit
from assay_training.scorer import Scorer
from assay_training.tower import package as packaging
from assay_training.tower.package import GRAPH, ID, Fitted, package
from assay_training.verify import VerifyError, check_files, check_golden, check_invariance
from tower.tower_world import TINY


@pytest.fixture(scope="module")
def model(scorer_graph, encoder, tmp_path_factory) -> Path:
    """A complete model folder around a random tower and random heads, written over an older one."""
    folder = tmp_path_factory.mktemp("model")
    (folder / f"{ID}.fp32.onnx").write_bytes(b"of an earlier version")
    rng = np.random.default_rng(0)
    rated = rng.uniform(0.5, 4.5, 300)
    raw = np.stack([rated + rng.normal(0, 0.3, 300), np.full(300, 0.3)], 1)
    calibrations = {aspect: fit(raw, rated) for aspect in ("quality", "alignment")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packaging, "SHAPE", TINY)
        package(folder, Fitted(scorer_graph, encoder / "tokenizer.json", calibrations, 1.23456, 300))
    return folder


def manifest(folder: Path) -> dict:
    return json.loads((folder / "manifest.json").read_text())


def test_packaged_folder_passes(model):
    assert len(list(check_files(model, manifest(model)))) == 1
    assert len(list(check_golden(model, manifest(model)))) == 1


def test_packaged_folder_lists_every_data_file_and_nothing_of_an_earlier_version(model):
    files = {str(path.relative_to(model)) for path in model.rglob("*") if path.is_file()}
    assert files - {"manifest.json"} == set(manifest(model)["files"])
    assert [path.name for path in model.glob("*.onnx")] == [GRAPH]
    assert all(path.stat().st_size < 60_000 for path in model.rglob("*.png"))


def test_manifest_says_what_is_foreign_and_how_to_read_images_and_prompts(model):
    found = manifest(model)
    assert (found["image"]["width"], found["image"]["height"]) == (TINY.side, TINY.side)
    assert found["domain"]["limit"] == 1.2346
    assert found["text"]["contextLength"] == 64
    tokenizer = json.loads((model / found["text"]["tokenizer"]).read_text())
    assert (tokenizer["padding"], tokenizer["truncation"]) == (None, None)


def test_golden_results_hold_alignment_only_with_a_prompt(model):
    items = json.loads((model / "golden.json").read_text())["items"]
    prompts = [item["prompt"] for item in items]
    assert None in prompts
    assert any(prompts)
    for item in items:
        aspects = {"quality", "alignment"} if item["prompt"] else {"quality"}
        assert item["expect"]["int8"].keys() == aspects
    scores = [item["expect"]["int8"]["quality"]["score"] for item in items]
    assert 0 < min(scores) < max(scores) < 5  # none at the ends, where differences would not show


def test_changed_file_is_named(model, tmp_path):
    listed = manifest(model)
    listed["files"] = {"calibration.json": listed["files"]["calibration.json"]}
    (tmp_path / "calibration.json").write_text("{}")
    with pytest.raises(VerifyError, match=r"calibration\.json: expected .*, found"):
        list(check_files(tmp_path, listed))
    (tmp_path / "calibration.json").unlink()
    with pytest.raises(VerifyError, match=r"calibration\.json: listed in manifest\.json, but missing"):
        list(check_files(tmp_path, listed))


def copied(model: Path, folder: Path) -> Path:
    """The same folder, but golden.json may be changed."""
    for path in model.iterdir():
        (folder / path.name).symlink_to(path)
    golden = folder / "golden.json"
    golden.unlink()
    golden.write_bytes((model / "golden.json").read_bytes())
    return golden


def test_wrong_golden_score_is_named(model, tmp_path):
    path = copied(model, tmp_path)
    golden = json.loads(path.read_text())
    golden["items"][0]["expect"]["int8"]["quality"]["percentile"] += 0.5
    path.write_text(json.dumps(golden))
    with pytest.raises(VerifyError, match=r"golden/scene\.png int8: quality percentile: expected"):
        list(check_golden(tmp_path, manifest(tmp_path)))


def test_golden_result_of_a_missing_aspect_is_named(model, tmp_path):
    path = copied(model, tmp_path)
    golden = json.loads(path.read_text())
    del golden["items"][0]["expect"]["int8"]["alignment"]
    path.write_text(json.dumps(golden))
    message = r"scene\.png int8: expected aspects \['quality'\], found \['alignment', 'quality'\]"
    with pytest.raises(VerifyError, match=message):
        list(check_golden(tmp_path, manifest(tmp_path)))


def test_batches_and_threads_change_nothing(model, monkeypatch):
    monkeypatch.setattr(verifying, "BATCHES", (1, 3))
    found = list(check_invariance(model, manifest(model)))
    assert [line.split(":")[1] for line in found] == [" int8 quality", " int8 alignment"]


def test_a_scorer_that_depends_on_the_batch_is_named(model, monkeypatch):
    monkeypatch.setattr(verifying, "BATCHES", (1, 2))
    raw = Scorer.raw

    def wrong(scorer, pixels, prompt=None):
        return {name: values + [len(pixels), 0] for name, values in raw(scorer, pixels, prompt).items()}

    monkeypatch.setattr(Scorer, "raw", wrong)
    with pytest.raises(VerifyError, match=r"int8 quality: outputs differ by 1\.00e\+00 between batches"):
        list(check_invariance(model, manifest(model)))
