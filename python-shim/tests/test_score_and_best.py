"""Scores beside the images, and the choice of the best."""

import pytest
import torch
from fake_daemon import error, result
from helpers import greys, shape_of


def score(nodes, images, **inputs):
    return nodes.AssayScore().run(images, **{"unique_id": ["1"], **inputs})["result"]


def best(nodes, images, k=1, **inputs):
    given = {"by": ["reward"], "k": [k], "on_failure": ["pass"], "unique_id": ["1"], **inputs}
    return nodes.AssayBest().run(images, **given)["result"]


def test_score_keeps_the_images_and_adds_numbers(daemon, nodes):
    batches = [greys(0.2, 0.8), greys(0.4, channels=4)]
    images, quality, alignment, authenticity, reward, report = score(nodes, batches, prompt=["a"])
    assert all(came is gone for came, gone in zip(batches, images, strict=True))
    assert shape_of(quality) == [1.0, 4.0, 2.0]
    assert shape_of(alignment) == shape_of(authenticity) == [None] * 3
    assert shape_of(reward) == [0.2, 0.8, 0.4]
    assert [item["image"]["format"] for item in daemon.sent()] == ["rgb8", "rgb8", "rgba8"]
    assert "quality 4.00 (80%) · reward 0.80" in report
    assert report.startswith("3 images: reward 0.20 to 0.80\n")
    assert score(nodes, [greys(0.8)])[5].startswith("1 image: reward 0.80\n")


def test_a_missing_number_is_never_a_number(daemon, nodes):
    daemon.answer = lambda _message: error("INTERNAL")
    outputs = score(nodes, [greys(0.5, 0.6)])
    assert [shape_of(output) for output in outputs[1:5]] == [[None, None]] * 4
    assert "INTERNAL" in outputs[5]


@pytest.mark.parametrize(
    ("prompts", "sent"),
    [(["a"], ["a", "a", "a"]), (["a", "b", "c"], ["a", "b", "c"]), (["a", "b"], ["a", "a", "b"]), ([""], [None] * 3)],
)
def test_prompts_for_all_each_image_or_each_batch(daemon, nodes, prompts, sent):
    score(nodes, [greys(0.1, 0.2), greys(0.3)], prompt=prompts)
    assert [item.get("prompt") for item in daemon.sent()] == sent


def test_prompts_that_do_not_fit(daemon, nodes):
    with pytest.raises(ValueError, match="3 images, but 2 prompts"):
        score(nodes, [greys(0.1, 0.2, 0.3)], prompt=["a", "b"])


def test_best_first_with_all_that_goes_along(daemon, nodes):
    batches = [greys(0.2, 0.9), greys(0.5, size=4)]
    masks = [torch.stack([torch.full((8, 8), i / 10) for i in range(3)])]
    latents = [{"samples": torch.arange(3.0)[:, None, None, None], "noise_mask": torch.zeros(1, 4, 4), "type": "x"}]
    outputs = best(nodes, batches, k=2, masks=masks, latents=latents, prompt=["a", "b", "c"])
    chosen, picked, rows, indexes, selection, scores, report, prompts = outputs
    assert prompts == ["b", "c"]
    assert shape_of(chosen) == [0.9, 0.5]
    assert indexes == [1, 2]
    assert shape_of(picked) == [0.1, 0.2]
    assert [(float(row["samples"]), row["batch_index"], row["type"]) for row in rows] == [(1, [1], "x"), (2, [2], "x")]
    assert [tuple(mask.shape) for mask in selection] == [(2, 8, 8), (1, 4, 4)]
    assert [mask.mean(dim=(1, 2)).tolist() for mask in selection] == [[0, 1], [1]]
    assert shape_of(scores) == [0.9, 0.5]
    assert report.splitlines()[1].startswith("#1 best 1")


def test_without_companions_their_outputs_block(daemon, nodes):
    outputs = best(nodes, [greys(0.5)])
    assert shape_of(outputs[1]) == shape_of(outputs[2]) == [None]


def test_companions_that_do_not_fit(daemon, nodes):
    with pytest.raises(ValueError, match="3 images, but 2 masks"):
        best(nodes, [greys(0.1, 0.2, 0.3)], masks=[torch.zeros(2, 8, 8)])
    assert daemon.messages == []


def test_equals_keep_their_order_and_k_may_be_too_large(daemon, nodes):
    assert best(nodes, [greys(0.5, 0.5, 0.2)], k=9)[3] == [0, 1, 2]


def test_an_image_without_a_score_is_never_best(daemon, nodes):
    def answer(message):
        results = [result(item, None) for item in message["items"]]
        results[0] = {"error": {"code": "INFERENCE_FAILED", "message": "broken"}}
        return {"ok": True, "results": results}

    daemon.answer = answer
    outputs = best(nodes, [greys(0.9, 0.0, 0.3)], k=3, by=["quality"])
    assert outputs[3] == [2]  # failed; blank, though the model gave a quality; scored


@pytest.mark.parametrize(("rule", "images"), [("pass", [0.9, 0.3]), ("block", [None])])
@pytest.mark.parametrize(
    ("by", "why"),
    [("alignment", "no alignment without a prompt"), ("authenticity", "the scorer does not predict its authenticity")],
)
def test_by_an_aspect_that_nobody_scored(daemon, nodes, by, why, rule, images):
    outputs = best(nodes, [greys(0.9, 0.3)], by=[by], on_failure=[rule])
    assert shape_of(outputs[0]) == images
    assert set(shape_of(outputs[5])) == {None}
    assert outputs[6].startswith(f"2 images: none can be ranked by {by}, ")
    assert outputs[6].count(why) == 2


def test_by_an_aspect_that_nobody_scored_can_stop(daemon, nodes):
    with pytest.raises(ValueError, match="no image can be ranked by alignment: no alignment without a prompt"):
        best(nodes, [greys(0.9)], by=["alignment"], on_failure=["stop"])


def test_images_that_all_tripped_a_guard_go_on_with_the_reason(daemon, nodes):
    outputs = best(nodes, [greys(0.0, 0.0)])
    assert outputs[3] == [0, 1]
    assert outputs[6].count("passed unranked: quality 0.00 (0%) – too dark") == 2


def test_what_is_not_chosen_has_a_reason(daemon, nodes):
    report = best(nodes, [greys(0.5, 0.5, 0.2, 0.0)], k=1)[6]
    assert "#1: quality 2.49 (50%) · reward 0.50 – ties with #0, which came first" in report
    assert "#3 not ranked: quality 0.00 (0%) – too dark" in report
    assert best(nodes, [greys(0.5, 0.0)], k=4)[6].startswith("2 images: 1 of 4 wanted chosen by reward")


@pytest.mark.parametrize(("rule", "images", "indexes"), [("pass", [0.9, 0.3], [0, 1]), ("block", [None], [None])])
def test_best_when_nothing_can_be_scored(daemon, nodes, rule, images, indexes):
    daemon.answer = lambda _message: error("INTERNAL")
    outputs = best(nodes, [greys(0.9, 0.3)], on_failure=[rule])
    assert shape_of(outputs[0]) == images
    assert shape_of(outputs[3]) == indexes
    assert set(shape_of(outputs[5])) == {None}
    assert ("passed unscored" in outputs[6]) == (rule == "pass")


def test_best_can_stop(daemon, nodes):
    daemon.answer = lambda _message: error("INTERNAL")
    with pytest.raises(Exception, match="INTERNAL"):
        best(nodes, [greys(0.9)], on_failure=["stop"])
