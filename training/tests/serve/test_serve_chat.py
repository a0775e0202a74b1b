"""Answers and the probabilities of their tokens, and who may ask."""

from __future__ import annotations

import math

import pytest
import torch

from tests.serve.conftest import asks, picture

QUESTION = asks("is the image good")


def test_the_likeliest_words_with_their_probabilities(served):
    request = {"messages": QUESTION, "max_tokens": 3, "logprobs": True, "top_logprobs": 4, "temperature": 0}
    reply = served.ask("/v1/chat/completions", request | {"model": "tiny"})
    assert reply.status == 200, reply.body
    choice = reply.json["choices"][0]
    first = choice["logprobs"]["content"][0]
    inputs = served.family.processor(
        images=[picture()], text=["<user> <image> is the image good <assistant> "], return_tensors="pt"
    )
    with torch.inference_mode():
        wanted = served.family.net(**inputs).logits[0, -1].log_softmax(-1)
    values, ids = wanted.topk(4)
    assert [one["token"] for one in first["top_logprobs"]] == [
        served.family.tokenizer.decode([i]) for i in ids
    ]
    assert [one["logprob"] for one in first["top_logprobs"]] == pytest.approx(values.tolist(), abs=1e-4)
    assert first["logprob"] == first["top_logprobs"][0]["logprob"]
    assert choice["message"]["content"].split()[0] == first["token"]
    assert choice["finish_reason"] in ("stop", "length")
    assert reply.json["usage"]["prompt_tokens"] == inputs["input_ids"].shape[1]
    assert math.exp(first["logprob"]) < 1


def test_without_probabilities_it_says_the_same(served):
    told = [
        served.ask("/v1/chat/completions", {"messages": QUESTION, "max_tokens": 3, "logprobs": wanted}).json
        for wanted in (True, False)
    ]
    assert told[0]["choices"][0]["message"] == told[1]["choices"][0]["message"]
    assert told[1]["choices"][0]["logprobs"] is None


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"temperature": 0.7}, "temperature: expected 0, found 0.7"),
        ({"n": 2}, "n: expected 1"),
        ({"stream": True}, "stream: expected False"),
        ({"tools": [{}]}, "response_format and tools are not known"),
        ({"max_tokens": -1}, "max_tokens: expected a number from 1 on"),
        ({"messages": QUESTION * 2}, "expected one image (image_url), found 2"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_refused_and_not_left_out(served, more, fault):
    reply = served.ask("/v1/chat/completions", {"messages": QUESTION} | more)
    assert (reply.status, fault in reply.fault) == (400, True), reply.fault


def test_who_may_ask_and_where(served):
    assert served.ask("/v1/models").json["data"] == [{"id": "tiny", "object": "model"}]
    assert served.ask("/v1/models", authorization="Bearer other").status == 401
    assert served.ask("/v1/states", {"messages": QUESTION}, authorization="").status == 401
    assert served.ask("/v1/models", origin="http://evil.example").status == 403
    assert served.ask("/v1/embeddings", {}).status == 404
    assert served.ask("/", None).status == 404
    assert "no JSON" in served.ask("/v1/states", b"{").fault
    assert "no JSON object" in served.ask("/v1/states", b"[]").fault
