"""Hidden states over HTTP are those that transformers itself gives."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch

from tests.serve.conftest import Served, asks, picture, shown
from tests.serve.tiny_llava import CONTEXT, IMAGE_POSITIONS, WIDTH

TALK = ("what do you see", "a cat on the mat", "is the image good")


def states(served: Served, **request: object) -> np.ndarray:
    reply = served.ask("/v1/states", {"messages": asks(*TALK)} | request)
    assert reply.status == 200, reply.body
    return np.load(io.BytesIO(reply.body), allow_pickle=False)


def expected(served: Served) -> np.ndarray:
    """By the model below the output layer, from a conversation that is written here."""
    processor, net = served.family.processor, served.family.net
    text = "<user> <image> what do you see <assistant> a cat on the mat <user> is the image good "
    inputs = processor(images=[picture()], text=[text], return_tensors="pt")
    with torch.inference_mode():
        return net.model(**inputs).last_hidden_state[0].numpy()


def test_states_of_all_positions_their_mean_and_the_first_ones(served):
    wanted = expected(served)
    found = states(served, pool="none")
    assert found.dtype == np.float32
    assert found.shape == wanted.shape == (wanted.shape[0], WIDTH)
    assert np.abs(found - wanted).max() < 1e-5
    assert np.abs(states(served, pool="mean") - wanted.mean(0)).max() < 1e-5
    assert np.array_equal(states(served, pool="none", max_positions=20), found[:20])
    half = states(served, pool="none", dtype="float16")
    assert half.dtype == np.float16
    assert np.abs(half - found).max() < 5e-3


def test_how_long_the_conversation_is_stands_beside_them(served):
    reply = served.ask("/v1/states", {"messages": asks(*TALK), "pool": "none", "max_positions": 20})
    assert int(reply.headers["x-assay-positions"]) == len(expected(served)) > 20


def test_the_image_stands_where_it_is_put(served):
    def of(content: list) -> np.ndarray:
        return states(served, messages=[{"role": "user", "content": content}], pool="none")

    words = [{"type": "text", "text": "is"}, {"type": "text", "text": "good"}]
    before, between = of([shown(), *words]), of([words[0], shown(), words[1]])
    assert before.shape == between.shape
    assert np.abs(before[:2] - between[:2]).max() > 1e-3  # an image, and a word


def url(text: str) -> list[dict]:
    return [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": text}}]}]


GOOD = asks("good")
CUT = {"messages": GOOD, "pool": "none", "max_positions": IMAGE_POSITIONS}


@pytest.mark.parametrize(
    ("request_", "status", "fault"),
    [
        ({"messages": asks("good " * CONTEXT)}, 422, f"positions, more than the {CONTEXT} that the model"),
        (CUT, 422, "the image alone takes"),
        ({"messages": GOOD, "pool": "max"}, 400, "pool: expected one of mean, none"),
        ({"messages": GOOD, "dtype": "int8"}, 400, "dtype: expected one of float32, float16"),
        ({"messages": GOOD, "max_positions": 0}, 400, "max_positions: expected a number from 1 on"),
        ({"messages": []}, 400, "messages: expected a list"),
        ({"messages": [{"role": "user", "content": "good"}]}, 400, "expected one image (image_url), found 0"),
        ({"messages": GOOD * 2}, 400, "expected one image (image_url), found 2"),
        ({"messages": [{"role": "robot", "content": "good"}]}, 400, "messages[0].role: expected one of"),
        ({"messages": [GOOD[0] | {"role": "assistant"}]}, 400, "must be in a message of the user"),
        ({"messages": url("http://a/b.png")}, 400, "content[0].image_url.url: expected data:image"),
        ({"messages": url("data:image/png;base64,AA==")}, 400, "no image that can be read"),
        (
            {"messages": [{"role": "user", "content": [{"type": "audio"}]}]},
            400,
            "expected type text or image",
        ),
        ({"messages": GOOD, "model": "huge"}, 404, "no model 'huge' here; there is 'tiny'"),
    ],
)
def test_what_cannot_be_answered_is_refused(served, request_, status, fault):
    reply = served.ask("/v1/states", request_)
    assert (reply.status, fault in reply.fault) == (status, True), reply.fault
