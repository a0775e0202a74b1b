"""Images, calls and answers of any kind: what was meant, or a coded failure that names it."""

import contextlib
import math

import numpy as np
import pytest
import torch
from conftest import Host
from fake_daemon import FakeDaemon
from PIL import Image

from assay_client import AssayClient, AssayFailure
from assay_client.images import pictures_of
from assay_client.link.wire import pack, unpack
from assay_client.request import items_of

pytest.importorskip("hypothesis", reason="no hypothesis: pip install hypothesis")
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

QUICK = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))

SIDES = st.integers(5, 12)  # more than there are channels: no shape is unclear
CHANNELS = st.sampled_from((1, 3, 4))
DTYPES = st.sampled_from(("uint8", "float16", "float32", "float64", "int32", "bool", "complex64", "object"))


@st.composite
def batches(draw, values):
    """[N, H, W, C] with such values, and how it is handed over."""
    shape = (draw(st.integers(1, 3)), draw(SIDES), draw(SIDES), draw(CHANNELS))
    batch = draw(arrays.arrays(**values, shape=shape))
    form = draw(st.sampled_from(("NHWC", "NCHW", "list", "torch", "strided", "one")))
    return batch, form


def handed_over(batch, form):
    if form == "list":
        return list(batch)
    if form == "NCHW":
        return batch.transpose(0, 3, 1, 2)
    if form == "torch":
        return torch.from_numpy(np.ascontiguousarray(batch.transpose(0, 3, 1, 2)))
    if form == "strided":
        return np.repeat(batch, 2, axis=1)[:, ::2]
    return batch[0] if form == "one" else batch


def levels(images) -> list[np.ndarray]:
    """The pixels on the wire."""
    made = [picture.load() for picture in pictures_of(images)]
    channels = {"rgb8": 3, "rgba8": 4}
    return [
        np.frombuffer(one["data"], np.uint8).reshape(one["height"], one["width"], channels[one["format"]])
        for one in made
    ]


def same(found, batch, form):
    expected = batch[:1] if form == "one" else batch
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, np.repeat(other, 3, axis=2) if other.shape[2] == 1 else other)


@QUICK
@given(batches({"dtype": np.uint8}))
def test_8_bits_stay_as_they_are(made):
    batch, form = made
    same(levels(handed_over(batch, form)), batch, form)


@QUICK
@given(batches({"dtype": np.float32, "elements": st.floats(0, 1, width=32)}))
def test_floats_are_rounded_once(made):
    batch, form = made
    rounded = np.rint(batch.astype(np.float32) * np.float32(255)).astype(np.uint8)
    same(levels(handed_over(batch, form)), rounded, form)


@settings(QUICK, max_examples=60)
@given(st.data())
def test_any_array_becomes_images_or_a_failure_that_names_it(data):
    shape = data.draw(st.lists(st.integers(0, 4), max_size=5))
    array = data.draw(arrays.arrays(data.draw(DTYPES), shape, fill=st.nothing()))
    layout = data.draw(st.sampled_from((None, "NCHW", "NHWC", "CHW")))
    for given_images in (array, [array], [array, array]):
        try:
            pictures = pictures_of(given_images, layout)
        except AssayFailure as failure:
            assert failure.code in ("IMAGE_SHAPE", "IMAGE_VALUES") and "images" in failure.message and failure.fix
            continue
        for picture in pictures:
            try:
                wire = picture.load()
            except AssayFailure as failure:
                # In a list, what is no image is the fault of that one alone.
                assert failure.code == "IMAGE_VALUES" or isinstance(given_images, list)
                assert failure.code in ("IMAGE_SHAPE", "IMAGE_VALUES") and picture.name in failure.message
                assert failure.code == "IMAGE_SHAPE" or not np.isfinite(array).all()
            else:
                assert len(wire["data"]) == wire["width"] * wire["height"] * {"rgb8": 3, "rgba8": 4}[wire["format"]]


@QUICK
@given(
    st.sampled_from(("1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "YCbCr", "HSV", "LAB", "I", "F", "I;16")), SIDES, SIDES
)
def test_pictures_of_any_mode(mode, width, height):
    picture = pictures_of(Image.new(mode, (width, height)))[0]
    try:
        wire = picture.load()
    except AssayFailure as failure:
        assert failure.code == "IMAGE_SHAPE" and mode in failure.message and mode in ("I", "F", "I;16")
    else:
        assert (wire["width"], wire["height"]) == (width, height)


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=9)
    | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@QUICK
@given(images=ANYTHING, prompts=ANYTHING, ids=ANYTHING, groups=ANYTHING)
def test_any_call_is_taken_or_named(images, prompts, ids, groups):
    one = np.zeros((1, 8, 8, 3), np.uint8)
    for call in (
        (images, None, None, None),
        (one, prompts, None, None),
        (one, None, ids, None),
        (one, None, None, groups),
    ):
        try:
            items = items_of(*call, None)
        except AssayFailure as failure:
            assert failure.code in ("BAD_REQUEST", "IMAGE_SHAPE")
        else:
            assert len({item.id for item in items}) == len(items)
            assert all(item.fields.get("prompt") is None or isinstance(item.fields["prompt"], str) for item in items)
            {item.group for item in items}  # each can be looked up


@QUICK
@given(st.binary(max_size=60) | ANYTHING.map(lambda value: pack({"a": "b"}) + repr(value).encode()))
def test_bytes_that_are_no_answer_are_refused_as_the_line_expects(data):
    with contextlib.suppress(ValueError):
        assert isinstance(unpack(data), dict)


FINITE = st.floats(allow_nan=False, allow_infinity=False)
RESULT = st.fixed_dictionaries(
    {},
    optional={
        "reward": st.none() | FINITE | ANYTHING,
        "aspects": st.dictionaries(st.just("quality"), ANYTHING) | ANYTHING,
        "components": ANYTHING,
        "missing": ANYTHING,
        "guards": ANYTHING,
        "notes": ANYTHING,
        "scorer": ANYTHING,
        "error": st.none() | st.just({"code": "BUSY", "message": "so"}) | ANYTHING,
    },
)
ANSWER = st.fixed_dictionaries(
    {"ok": st.just(True) | ANYTHING},
    optional={
        "results": st.lists(RESULT, min_size=2, max_size=2) | ANYTHING,
        "groups": ANYTHING,
        "profile": ANYTHING,
        "scorers": ANYTHING,
        "order": ANYTHING,
        "best": ANYTHING,
        "error": ANYTHING,
    },
)


@pytest.fixture(scope="module")
def daemon():
    loop, fake = Host(), FakeDaemon()
    loop.call(fake.start())
    yield fake
    loop.call(fake.stop())
    loop.close()


@settings(QUICK, max_examples=80)
@given(answer=ANSWER)
def test_an_answer_that_makes_no_sense_is_never_a_number(daemon, monkeypatch, answer):
    """Whatever comes, a call ends in time: in results, or in a failure with a code."""
    monkeypatch.setattr("assay_client.scoring.pause", _no_pause)
    monkeypatch.setattr("assay_client.rewarding.pause", _no_pause)
    daemon.answer = daemon.others = lambda _message: answer
    images = np.full((2, 8, 8, 3), 9, np.uint8)
    with AssayClient(daemon.url, timeout=0.3) as assay:
        for call in (assay.score, assay.rewards, assay.rank):
            try:
                found = call(images)
            except AssayFailure as failure:
                assert failure.code
                continue
            for item in getattr(found, "results", found):
                assert item.reward is None or (isinstance(item.reward, float) and math.isfinite(item.reward))
                assert item.error is None or item.reward is None or item.missing


async def _no_pause(_attempt):
    return None
