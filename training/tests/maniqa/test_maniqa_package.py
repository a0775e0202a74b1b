import pytest

from assay_training.maniqa import package
from assay_training.maniqa.package import prepare


@pytest.fixture(autouse=True)
def exported(monkeypatch) -> list:
    """What graphs would be exported for; that they are right, parity shows."""
    seen = []

    def export_graph(model, config, view, work):
        seen.append((view, model.swintransformer1.scale))
        return {"score": work / "score.onnx"}

    monkeypatch.setattr(package, "export_graph", export_graph)
    return seen


@pytest.mark.parametrize(
    ("trained_on", "view", "scale"),
    [("koniq10k", "whole", 0.8), ("kadid10k", "windows", 0.8), ("pipal22", "windows", 0.13)],
)
def test_the_set_says_view_and_scale(maniqa_file, tmp_path, exported, trained_on, view, scale):
    system = prepare(maniqa_file, tmp_path, trained_on=trained_on)
    assert exported == [(view, scale)]
    image = system.manifest["image"]
    assert (image["width"], image["height"]) == (32, 32)
    if view == "whole":
        assert (image["resize"], image["kernel"], system.windows) == ("stretch", "opencv-cubic", ())
    else:
        assert (image["resize"], image["windows"]["enlargeTo"], system.windows) == ("windows", 32, (5, 1))
        assert "whole" not in image["windows"]
    assert f"counts {scale:g}" in system.card
    assert "- `vit.blocks.10` (12)" in system.card


def test_view_scale_and_range_can_be_others(maniqa_file, tmp_path, exported):
    system = prepare(
        maniqa_file, tmp_path, trained_on="koniq10k", view="windows", scale=0.5, limits=(1.0, 9.0)
    )
    assert exported == [("windows", 0.5)]
    assert system.manifest["aspects"]["quality"]["range"] == [1.0, 9.0]
    assert "cut to 1..9" in system.card


@pytest.mark.parametrize("options", [{"trained_on": "live"}, {"view": "crops"}, {"limits": (1, 1)}])
def test_unknown_options_are_named(maniqa_file, tmp_path, options):
    name = {"limits": "range"}.get(next(iter(options)), next(iter(options)))
    with pytest.raises(ValueError, match=f"^{name}: expected"):
        prepare(maniqa_file, tmp_path, **{"trained_on": "koniq10k"} | options)
