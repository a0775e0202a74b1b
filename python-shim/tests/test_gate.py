"""What the gate lets through, and what it does when there is no verdict."""

import json

import pytest
import torch
from fake_daemon import error, result
from helpers import gate, greys, places, shape_of


def test_each_image_by_itself(daemon, nodes, host):
    answer = gate(nodes, greys(0.2, 0.8, 0.0, 0.6), prompt="a cat")
    accepted, rejected, unsure, report, *_ = answer["result"]
    assert shape_of(accepted) == [None, 0.8, None, 0.6]
    assert shape_of(rejected) == [0.2, None, 0.0, None]
    assert shape_of(unsure) == [None] * 4
    assert all(tuple(image.shape) == (1, 8, 8, 3) for image in accepted if torch.is_tensor(image))
    assert report.startswith("4 images: 2 accepted, 2 rejected\n#0 rejected: quality 1.00 (20%)")
    assert "too dark" in report
    assert daemon.messages[0]["policy"] == {
        "aspects": {"quality": {"minPercentile": 0.5}},
        "unsureWithinInterval": False,
    }
    assert {item["prompt"] for item in daemon.messages[0]["items"]} == {"a cat"}
    assert host.texts[-1][0].startswith("4 images")
    assert sum(host.progress) == 4


def test_compact_leaves_no_gaps(daemon, nodes):
    assert places(nodes, greys(0.2, 0.8, 0.6), compact=True) == [[0.8, 0.6], [0.2], [None]]


@pytest.mark.parametrize(
    ("measure", "policy"),
    [
        ("percentile", {"aspects": {"alignment": {"minPercentile": 0.5}}}),
        ("MOS", {"aspects": {"alignment": {"minScore": 0.5}}}),
        ("reward", {"aspects": {}, "minReward": 0.5}),
    ],
)
def test_measures(part, measure, policy):
    made = part("nodes.gate").policy_for("alignment", measure, 0.5, True)
    assert made == {**policy, "unsureWithinInterval": True}


@pytest.mark.parametrize(("choice", "place"), [("accept", 0), ("reject", 1), ("separate", 2)])
def test_unsure(daemon, nodes, choice, place):
    daemon.answer = lambda message: {
        "ok": True,
        "results": [{**result(i, None), "decision": "unsure", "reasons": ["too near"]} for i in message["items"]],
    }
    outputs = gate(nodes, greys(0.5), unsure=choice)["result"]
    assert [shape_of(outputs[i]) for i in range(3)] == [[0.5] if i == place else [None] for i in range(3)]
    assert "unsure" in outputs[3]
    assert "too near" in outputs[3]


@pytest.mark.parametrize(("rule", "accepted"), [("pass", [None, 0.4, None]), ("block", [None, None, None])])
def test_one_failed_image(daemon, nodes, rule, accepted):
    def answer(message):
        results = [result(item, message["policy"]) for item in message["items"]]
        broken = {"error": {"code": "INFERENCE_FAILED", "message": "the model broke"}, "decision": None}
        return {"ok": True, "results": [broken if 0.35 < found["reward"] < 0.45 else found for found in results]}

    daemon.answer = answer
    outputs = gate(nodes, greys(0.2, 0.4, 0.3), on_failure=rule)["result"]
    assert shape_of(outputs[0]) == accepted
    assert shape_of(outputs[1]) == [0.2, None, 0.3]
    assert "the model broke [INFERENCE_FAILED]" in outputs[3]


def test_stop_names_code_and_fix(daemon, nodes):
    daemon.answer = lambda _message: error("UNKNOWN_SCORER")
    with pytest.raises(Exception, match=r"UNKNOWN_SCORER happened \[UNKNOWN_SCORER\] Mend it\."):
        gate(nodes, greys(0.5), on_failure="stop")


@pytest.mark.parametrize(
    ("measure", "threshold"),
    [("percentile", 30), ("reward", 1.1), ("MOS", -1), ("nonsense", 0.5), ("MOS", "abc"), ("reward", float("nan"))],
)
def test_thresholds_that_make_no_sense(daemon, nodes, measure, threshold):
    assert isinstance(nodes.AssayGate.VALIDATE_INPUTS(measure=[measure], threshold=[threshold]), str)
    with pytest.raises(ValueError, match="Assay Gate"):
        gate(nodes, greys(0.5), measure=measure, threshold=threshold)
    assert daemon.messages == []


def test_thresholds_that_a_link_brings_later(nodes):
    assert nodes.AssayGate.VALIDATE_INPUTS(measure=(None,), threshold=[30]) is True
    assert nodes.AssayGate.VALIDATE_INPUTS(measure=["percentile"], threshold=(None,)) is True


def test_widgets_that_a_list_was_wired_to(daemon, nodes):
    with pytest.raises(ValueError, match="threshold takes one value"):
        gate(nodes, greys(0.5, 0.6), threshold=[0.1, 0.2])
    assert places(nodes, greys(0.5, 0.6), threshold=[0.1, 0.1])[0] == [0.5, 0.6]


def test_when_all_are_rejected_it_says_what_does_not_run(daemon, nodes):
    report = gate(nodes, greys(0.1, 0.2))["result"][3]
    assert report.startswith("0 of 2 passed, and what is connected to `accepted` does not run\n2 images: 0 accepted")


def test_what_belongs_to_an_image_goes_where_it_goes(daemon, nodes):
    masks = torch.stack([torch.full((8, 8), i / 10) for i in range(4)])
    latents = {"samples": torch.arange(4.0)[:, None, None, None], "noise_mask": torch.zeros(1, 4, 4)}
    outputs = gate(
        nodes,
        greys(0.2, 0.8, 0.6, 0.1),
        masks=[masks],
        latents=[latents],
        prompt=["a", "b", "c", "d"],
        compact=True,
    )["result"]
    for which, kept in ((4, [1, 2]), (8, [0, 3]), (12, [])):
        along = dict(zip(("masks", "latents", "prompts", "indexes"), outputs[which : which + 4]))
        if not kept:
            assert [shape_of(values) for values in along.values()] == [[None]] * 4
            continue
        assert shape_of(along["masks"]) == [place / 10 for place in kept]
        assert [float(latent["samples"]) for latent in along["latents"]] == kept
        assert [latent["batch_index"] for latent in along["latents"]] == [[place] for place in kept]
        assert along["prompts"] == ["abcd"[place] for place in kept]
        assert along["indexes"] == kept


def test_companions_that_were_not_given_block(daemon, nodes):
    outputs = gate(nodes, greys(0.8))["result"]
    assert [shape_of(outputs[i]) for i in (4, 5)] == [[None]] * 2
    assert (outputs[6], outputs[7]) == ([""], [0])


def test_only_plain_data_reaches_the_page(daemon, nodes):
    odd = {"score": float("nan"), "percentile": float("inf"), "range": (0, 5), "interval": [0, b"x"]}
    daemon.answer = lambda m: {
        "ok": True,
        "results": [{**result(i, None), "aspects": {"quality": odd}, "reward": float("nan")} for i in m["items"]],
    }
    ui = gate(nodes, greys(*[0.5] * 70))["ui"]
    json.dumps(ui, allow_nan=False)
    assert len(ui["assay"]) == 64
    assert ui["text"][-1] == "… and 58 more"


def test_no_tag_reaches_the_page_as_html(daemon, nodes, host):
    daemon.answer = lambda _message: error("BAD_REQUEST", message="<img src=x onerror=alert(1)>")
    gate(nodes, greys(0.5))
    assert "<" not in host.texts[-1][0]
    host.client_id = None
    gate(nodes, greys(0.5))
    assert len(host.texts) == 1
