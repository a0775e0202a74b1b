"""Empty, broken and oversized images: a line says so, and nothing else is lost."""

import re

import numpy
import pytest
import torch
from fake_daemon import error
from helpers import GATE, gate, greys, shape_of

NOTHING = {"an empty list": [], "None": [None], "Nones": [None, None], "an empty batch": [torch.rand(0, 8, 8, 3)]}
INPUTS = {
    "AssayGate": {name: [value] for name, value in GATE.items()},
    "AssayBest": {"by": ["reward"], "k": [2], "on_failure": ["pass"]},
    "AssayScore": {},
}


@pytest.mark.parametrize("rule", ["pass", "block", "stop"])
@pytest.mark.parametrize("images", NOTHING.values(), ids=NOTHING)
@pytest.mark.parametrize("kind", INPUTS)
def test_without_an_image_everything_blocks_and_a_line_says_so(daemon, nodes, kind, images, rule):
    inputs = {**INPUTS[kind], **({} if kind == "AssayScore" else {"on_failure": [rule]})}
    answer = getattr(nodes, kind)().run(images, **inputs, unique_id=["1"])
    outputs = [output for output in answer["result"] if isinstance(output, list)]
    assert [shape_of(output) for output in outputs] == [[None]] * len(outputs)
    assert answer["ui"]["text"][0].startswith("0 images")
    assert daemon.messages == []


@pytest.mark.parametrize("kind", INPUTS)
def test_entries_without_an_image_are_left_out(daemon, nodes, kind):
    images = [None, greys(0.6), torch.rand(0, 8, 8, 3), greys(0.8, size=4)]
    answer = getattr(nodes, kind)().run(images, **INPUTS[kind], unique_id=["1"])
    assert sorted(shape_of(answer["result"][0])) == [0.6, 0.8]
    assert "(2 empty entries left out)" in answer["ui"]["text"][0]


def broken(share):
    image = greys(0.7)
    image[:, : int(8 * share)] = float("nan")
    return image


ODD = {
    "NaN in half of the rows": (broken(0.5), "IMAGE_VALUES"),
    "all NaN": (broken(1), "IMAGE_VALUES"),
    "0..255": (greys(0.7) * 255, "IMAGE_VALUES"),
    "two channels": (torch.rand(1, 8, 8, 2), "IMAGE_SHAPE"),
    "five channels": (torch.rand(1, 8, 8, 5), "IMAGE_SHAPE"),
    "no height": (torch.rand(1, 0, 8, 3), "IMAGE_SHAPE"),
    "channels first": (torch.rand(1, 3, 8, 8), "IMAGE_SHAPE"),
    "an array of another kind": (numpy.zeros((1, 8, 8, 3), "complex64"), "IMAGE_SHAPE"),
    "a text": ("text", "IMAGE_SHAPE"),
}


@pytest.mark.parametrize(("odd", "code"), ODD.values(), ids=ODD)
def test_one_odd_image_costs_no_other_its_score(daemon, nodes, odd, code):
    images = [greys(0.6), odd, greys(0.8, 0.9)]
    outputs = gate(nodes, images, compact=True)["result"]
    assert outputs[7] == [0, 1, 2, 3]
    assert f"#1 passed unscored: no score [{code}]" in outputs[3]
    assert "#2 accepted: quality 4.00" in outputs[3]
    assert gate(nodes, images, compact=True, on_failure="block")["result"][7] == [0, 2, 3]
    best = nodes.AssayBest().run(images, by=["reward"], k=[9], on_failure=["pass"], unique_id=["1"])["result"]
    assert best[3] == [3, 2, 0]


def test_arrays_of_numpy_are_scored(daemon, nodes):
    outputs = gate(nodes, [greys(0.6).numpy(), greys(0.8, 0.9).numpy()], compact=True)["result"]
    assert outputs[7] == [0, 1, 2]
    assert "no score" not in outputs[3]


def test_what_the_daemon_refuses_is_sent_again_alone(daemon, nodes):
    def answer(message):
        too_long = any(len(item.get("prompt") or "") > 100 for item in message["items"])
        return error("BAD_REQUEST") if too_long else daemon.scores(message)

    daemon.answer = answer
    prompts = ["a"] * 6
    prompts[4] = "x" * 200
    report = gate(nodes, greys(*[0.6] * 6), prompt=prompts)["result"][3]
    assert report.startswith("6 images: 5 accepted, 0 rejected, 1 passed unscored")
    assert "#4 passed unscored: no score [BAD_REQUEST]" in report


@pytest.mark.parametrize("how", ["said", "unsaid"])
def test_an_image_that_costs_the_connection_costs_no_other(daemon, nodes, how):
    def answer(message):
        if any(item["image"]["width"] > 40 for item in message["items"]):
            daemon.cut() if how == "unsaid" else daemon.close(1009)
            return None
        return daemon.scores(message)

    daemon.answer = answer
    report = gate(nodes, [*[greys(0.6)] * 9, greys(0.6, size=64), *[greys(0.6)] * 9, greys(0.6, size=64)])["result"][3]
    assert report.startswith("20 images: 18 accepted, 0 rejected, 2 passed unscored")
    code = "DAEMON_UNREACHABLE" if how == "unsaid" else "BODY_TOO_LARGE"
    assert f"#9 passed unscored: no score [{code}]" in report
    assert f"#19 passed unscored: no score [{code}]" in report


def test_half_a_character_in_a_prompt(daemon, nodes):
    assert gate(nodes, greys(0.6), prompt="a cat \ud83d")["result"][3].startswith("1 image: 1 accepted")
    assert daemon.sent()[0]["prompt"] == "a cat ?"


EMPTY = {
    "masks": [torch.zeros(0, 8, 8), torch.zeros(1, 0, 0), torch.zeros(0, 0), None],
    "latents": [{"samples": torch.zeros(0, 4, 8, 8)}, None],
}


@pytest.mark.parametrize(("what", "empty"), [(what, empty) for what, all_ in EMPTY.items() for empty in all_])
def test_masks_and_latents_that_hold_nothing_are_said(daemon, nodes, what, empty):
    outputs = gate(nodes, greys(0.6, 0.8), **{what: empty})["result"]
    said = f"no {what} came, and what takes them from here does not run"
    assert outputs[3].startswith(f"2 images: 2 accepted, 0 rejected ({said})\n")
    assert shape_of(outputs[4 if what == "masks" else 5]) == [None]
    assert "came" not in gate(nodes, greys(0.6, 0.8))["result"][3]
    inputs = {"by": ["reward"], "k": [1], "on_failure": ["pass"], what: [empty]}
    assert said in nodes.AssayBest().run([greys(0.6)], **inputs, unique_id=["1"])["result"][6]


@pytest.mark.parametrize(
    ("what", "odd", "said"),
    [
        ("masks", torch.zeros(8), "no mask: a tensor [8] came"),
        ("masks", "text", "no mask: a str came"),
        ("latents", "text", "no latent: a str came"),
        ("latents", {}, "no latent: a dict came"),
        ("latents", torch.zeros(1, 4, 8, 8), "no latent: a tensor [1, 4, 8, 8] came"),
    ],
)
def test_what_is_no_mask_or_latent_is_named(daemon, nodes, what, odd, said):
    with pytest.raises(ValueError, match=f"^Assay: {re.escape(said)} where a {what[:-1]} belongs$"):
        gate(nodes, greys(0.6), **{what: odd})
