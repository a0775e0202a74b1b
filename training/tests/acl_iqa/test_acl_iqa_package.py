from dataclasses import replace

import pytest

from acl_iqa.acl_iqa_world import SMALLEST, TINY
from assay_training.acl_iqa import package
from assay_training.acl_iqa.checkpoint import random_checkpoint
from assay_training.acl_iqa.config import AclConfig
from assay_training.acl_iqa.package import manifest, prepare
from assay_training.clip.tokenizer import tiny_tokenizer
from assay_training.data import DataError


@pytest.fixture
def exports(monkeypatch):
    """Nets that would be exported; the export has tests of its own."""
    nets = []

    def record(model, work, grades):
        nets.append(model)
        names = ("instruction", "score") if grades is not None else ("grades", "instruction", "score")
        return {name: work / f"{name}.onnx" for name in names}

    monkeypatch.setattr(package, "export_graphs", record)
    return nets


def given(folder, config):
    random_checkpoint(config, folder / "net.pt", 0)
    tiny_tokenizer(folder / "tokenizer.json", config.clip)
    return folder / "net.pt", folder, folder / "work"


def test_two_paths_become_a_system(tmp_path, exports):
    system = prepare(
        *given(tmp_path, TINY), task="alignment", combine="weighted-sum", config=TINY, version="1.2.0"
    )
    assert exports[0].config == replace(TINY, task="alignment", combine="weighted-sum")
    assert set(system.graphs) == {step["graph"] for step in system.manifest["graphs"]}
    assert system.tokenizer.is_file() and system.windows == (5, 4, 1)
    assert (system.manifest["id"], system.manifest["version"]) == ("acl-iqa-alignment", "1.2.0")
    grades, instruction, score = system.manifest["graphs"]
    assert grades["texts"][0] == "a photo that badly matches '{prompt}'" and len(grades["texts"]) == 5
    expected = (
        "In a photo like '{prompt}', excluding consideration of image quality when evaluating alignment"
    )
    assert instruction["texts"][1] == expected and len(instruction["texts"]) == 2
    assert score == {"graph": "score", "per": "pair"}
    for part in ("weighted by the gates", "carries no licence", "net.pt", "w_noise", expected):
        assert part in system.card


def test_single_path_reads_the_bare_prompt(tmp_path, exports):
    system = prepare(*given(tmp_path, SMALLEST), task="authenticity", config=SMALLEST, model_id="mine")
    assert system.manifest["graphs"][1]["texts"] == ["{prompt}"]
    assert system.manifest["id"] == "mine"
    assert system.manifest["aspects"]["authenticity"]["output"] == "authenticity"
    assert system.manifest["aspects"]["quality"] is None


def test_task_without_instructions_is_refused_before_the_export(tmp_path, exports):
    with pytest.raises(DataError, match="only known with the variant conv-moe"):
        prepare(*given(tmp_path, TINY), task="authenticity", config=TINY)
    assert not exports


def test_full_size_manifest_is_the_published_protocol():
    found = manifest(AclConfig(), "1.0.0")
    assert found["id"] == "acl-iqa"
    image = found["image"]
    assert image["windows"] == {
        "count": 15,
        "stride": 32,
        "largeStride": 48,
        "largeSide": 1024,
        "enlargeTo": 512,
        "whole": "whole",
    }
    assert (image["input"], image["width"], image["height"]) == ("windows", 224, 224)
    assert found["text"]["contextLength"] == 77 and found["text"]["padId"] == 0
    assert [step["graph"] for step in found["graphs"]] == ["instruction", "score"]
    assert AclConfig().grades == (
        "A photo of bad quality",
        "A photo of poor quality",
        "A photo of fair quality",
        "A photo of good quality",
        "A photo of perfect quality",
    )
    assert found["aspects"]["quality"]["levels"] == [(grade - 1) / 4 * 5 for grade in range(1, 6)]
    assert (found["maxBatch"], found["cpuMaxBatch"], image["minSide"], image["maxAspectRatio"]) == (
        4,
        1,
        64,
        4,
    )
