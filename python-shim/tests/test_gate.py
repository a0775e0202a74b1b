"""What the gate lets through, and what it does when there is no verdict."""

import json
from types import SimpleNamespace

import pytest
import torch
from fake_daemon import error, result
from helpers import gate, greys, shape_of


def test_each_image_by_itself(daemon, nodes, host):
    answer = gate(nodes, greys(0.2, 0.8, 0.0, 0.6), prompt="a cat")
    accepted, rejected, unsure, report = answer["result"]
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
    accepted, rejected, unsure, _ = gate(nodes, greys(0.2, 0.8, 0.6), compact=True)["result"]
    assert shape_of(accepted) == [0.8, 0.6]
    assert shape_of(rejected) == [0.2]
    assert shape_of(unsure) == [None]


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
    assert isinstance(nodes.AssayGate.VALIDATE_INPUTS(measure=measure, threshold=threshold), str)
    with pytest.raises(ValueError, match="Assay Gate"):
        gate(nodes, greys(0.5), measure=measure, threshold=threshold)
    assert daemon.messages == []


def test_thresholds_that_a_link_brings_later(nodes):
    assert nodes.AssayGate.VALIDATE_INPUTS(measure=None, threshold=30) is True
    assert nodes.AssayGate.VALIDATE_INPUTS(measure="percentile", threshold=None) is True


def test_an_empty_batch_blocks(daemon, nodes):
    outputs = gate(nodes, torch.rand(0, 8, 8, 3))["result"]
    assert [shape_of(output) for output in outputs[:3]] == [[None]] * 3


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


def test_elements_of_a_list_are_shown_together(daemon, nodes, host):
    for index, share in enumerate((0.2, 0.8)):
        host.context = SimpleNamespace(prompt_id="p", node_id="7", list_index=index)
        gate(nodes, greys(share))
    lines = host.texts[-1][0].splitlines()
    assert [line.split(":")[0] for line in lines] == ["1 image", "#0 rejected", "1 image", "#1 accepted"]
    host.context = SimpleNamespace(prompt_id="q", node_id="7", list_index=0)
    gate(nodes, greys(0.8))
    assert len(host.texts[-1][0].splitlines()) == 2
