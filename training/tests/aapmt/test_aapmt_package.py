import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from assay_training.aapmt import package
from assay_training.aapmt.config import TINY
from assay_training.aapmt.package import prepare
from assay_training.checkpoints import CheckpointError

QUALITY = "extremely high quality image, with vivid details"
AUTHENTIC = "very authentic image"


@pytest.fixture(autouse=True)
def readings(monkeypatch) -> list:
    """What the graphs would be exported for; exporting them is tested elsewhere."""
    seen = []

    def export_graphs(model, config, reading, work: Path) -> dict[str, Path]:
        seen.append((model.metric, reading))
        return {name: work / f"{name}.onnx" for name in ("image", "score")}

    monkeypatch.setattr(package, "export_graphs", export_graphs)
    return seen


def texts(system) -> list[str]:
    return system.manifest["graphs"][-1]["texts"]


def predicted(system) -> dict:
    return {name: aspect for name, aspect in system.manifest["aspects"].items() if aspect}


def test_image_reward_is_asked_about_three_aspects(reward_file, tmp_path, readings):
    system = prepare(reward_file, None, tmp_path / "work", config=TINY)
    manifest = system.manifest
    assert (manifest["id"], manifest["license"]) == ("image-reward", "Apache-2.0")
    assert manifest["graphs"][0] == {"graph": "image", "per": "image"}
    assert manifest["graphs"][1] == {
        "graph": "score",
        "per": "pair",
        "texts": [QUALITY, "{prompt}", AUTHENTIC],
    }
    assert list(manifest["aspects"]) == ["quality", "alignment", "authenticity"]
    for name, aspect in predicted(system).items():
        needed = name == "alignment"
        assert aspect == {"output": name, "kind": "mean", "range": [-3, 3], "needsPrompt": needed}
    metric, reading = readings[0]
    assert (metric, reading.normalised, reading.aspects) == (
        False,
        True,
        ("quality", "alignment", "authenticity"),
    )
    assert (manifest["maxBatch"], manifest["cpuMaxBatch"]) == (8, 1)
    assert "variants" not in manifest
    assert "files" not in manifest
    json.dumps(manifest)


def test_images_and_texts_are_prepared_as_upstream_does(reward_file, tmp_path):
    manifest = prepare(reward_file, None, tmp_path, config=TINY).manifest
    assert manifest["image"] == {
        "input": "image",
        "width": 224,
        "height": 224,
        "resize": "cover",
        "kernel": "pillow-cubic",
        "layout": "nhwc",
        "dtype": "uint8",
        "minSide": 64,
        "maxAspectRatio": 4,
    }
    assert manifest["text"] == {
        "tokenizer": "tokenizer.json",
        "ids": "ids",
        "mask": "mask",
        "dtype": "int64",
        "contextLength": 35,
        "padId": 0,
    }


def test_image_reward_alone(reward_file, tmp_path, readings):
    system = prepare(reward_file, None, tmp_path, aspect_prompts=False, config=TINY)
    assert texts(system) == ["{prompt}"]
    assert system.manifest["aspects"]["quality"] is None
    assert list(predicted(system)) == ["alignment"]
    assert system.manifest["reward"] == {"weights": {"alignment": 1}}
    assert readings[0][1].normalised


@pytest.mark.parametrize(("aspect", "text"), [("quality", QUALITY), ("alignment", "{prompt}")])
def test_reward_tuned_to_an_aspect(reward_file, tmp_path, readings, aspect, text):
    system = prepare(reward_file, None, tmp_path, aspect=aspect, config=TINY)
    assert system.manifest["id"] == "aapmt"
    assert texts(system) == [text]
    assert predicted(system)[aspect]["range"] == [0, 5]
    assert list(predicted(system)) == [aspect]
    assert not readings[0][1].normalised


def test_metric_transformer(metric_file, tmp_path, readings):
    system = prepare(metric_file, None, tmp_path, heads="as-named", features="mean", config=TINY)
    assert (system.manifest["id"], system.manifest["license"]) == ("aapmt", "NOASSERTION")
    assert texts(system) == [QUALITY, "{prompt}", AUTHENTIC]
    assert {tuple(aspect["range"]) for aspect in predicted(system).values()} == {(0, 5)}
    metric, reading = readings[0]
    assert (metric, reading.normalised, reading.heads, reading.features) == (True, False, "as-named", "mean")


def test_quality_text_is_chosen(reward_file, tmp_path):
    assert texts(prepare(reward_file, None, tmp_path, quality_text=1, config=TINY))[0] == "high quality image"
    found = texts(prepare(reward_file, None, tmp_path, quality_text=3, config=TINY))[0]
    assert found == "extremely high quality image, with high resolution"


def test_tokenizer_is_written(reward_file, tmp_path):
    system = prepare(reward_file, None, tmp_path / "new" / "work", config=TINY)
    assert system.tokenizer.parent == tmp_path / "new" / "work"
    ids = Tokenizer.from_file(str(system.tokenizer)).encode(AUTHENTIC).ids
    assert ids == [101, 2200, 14469, 3746, 102]


def test_card_says_how_it_is_read(reward_file, metric_file, tmp_path):
    base = prepare(reward_file, None, tmp_path, config=TINY).card
    assert "Apache-2.0" in base
    assert f"| quality | `{QUALITY}` |" in base
    assert "- `blip.vision_proj.weight`" in base
    metric = prepare(metric_file, None, tmp_path, config=TINY).card
    assert "alignment by `wv_quality`" in metric
    assert "- `ImageAssessmentModel.wq_quality`" in metric
    tuned = prepare(reward_file, None, tmp_path, aspect="quality", config=TINY).card
    for card in (metric, tuned):
        assert "no licence" in card
        assert "SRCC" not in card  # AAPMT's own figures are not to be repeated


def test_metric_transformer_is_not_read_as_a_single_aspect(metric_file, tmp_path):
    with pytest.raises(CheckpointError, match="predicts all aspects, not quality alone"):
        prepare(metric_file, None, tmp_path, aspect="quality", config=TINY)


@pytest.mark.parametrize(
    "option", [{"aspect": "beauty"}, {"quality_text": 4}, {"heads": "swapped"}, {"features": "all"}]
)
def test_unknown_options_are_named(reward_file, tmp_path, option):
    with pytest.raises(ValueError, match=f"^{next(iter(option))}: expected one of"):
        prepare(reward_file, None, tmp_path, config=TINY, **option)


def test_options_of_the_metric_transformer_need_one(reward_file, tmp_path):
    with pytest.raises(CheckpointError, match=f"{reward_file}: holds no Metric Transformer"):
        prepare(reward_file, None, tmp_path, features="mean", config=TINY)
