"""Tensors become the bytes that SaveImage would write."""

import numpy
import pytest
import torch


def raw(part, image):
    return part("images").raw_image(image)[0]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_a_little_outside_the_range_is_cut_off_and_said(part, dtype):
    values = [-0.4, 0.0, 0.5, 1.0, 1.4]
    image = torch.tensor(values, dtype=dtype)[None, :, None].expand(2, 5, 3)
    made, notes = part("images").raw_image(image)
    assert list(made["data"]) == [v for v in [0, 0, 127, 255, 255] for _ in range(3)] * 2
    assert (made["format"], made["width"], made["height"]) == ("rgb8", 5, 2)
    assert notes == ["40.0% of its values lie outside 0 to 1 (from -0.40 to 1.40) and were cut off, as Save Image does"]


def test_rounding_is_no_note(part):
    assert part("images").raw_image(torch.tensor([-1e-3, 1 + 1e-3])[None, :, None].expand(1, 2, 3))[1] == []


def test_one_bright_light_is_cut_off_and_said(part):
    image = torch.full((64, 64, 3), 0.5)
    image[0, 0] = 9.0
    assert "to 9.00" in part("images").raw_image(image)[1][0]


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda x: torch.where(torch.arange(8)[:, None, None] < 4, NAN, x), "96 NaN among its 192 values"),
        (lambda x: torch.where(x > 0.5, INF, x), "\\d+ infinite among its 192 values"),
        (lambda x: torch.where(x > 0.5, -INF, NAN), "\\d+ NaN, \\d+ infinite among"),
        (lambda x: x * 255, "from .* to 2"),
        (lambda x: x * 2 - 1, "from -1.* to 0.9|from -0.9.* to "),
        (lambda x: x * 65535, "from "),
        (lambda x: (x * 255).round().to(torch.uint8), "uint8, from "),
    ],
    ids=["NaN", "infinite", "both", "0..255", "-1..1", "0..65535", "uint8"],
)
def test_another_scale_is_no_image(part, dtype, make, said):
    image = torch.rand(8, 8, 3, generator=torch.Generator().manual_seed(1))
    with pytest.raises(part("failures").AssayFailure, match=said) as caught:
        part("images").raw_image(make(image.to(dtype) if dtype != torch.float16 else image.half().clamp(max=0.99)))
    assert caught.value.code == "IMAGE_VALUES"
    assert "tensor [8, 8, 3]" in caught.value.message
    assert "x / 255" in caught.value.fix


@pytest.mark.parametrize(("channels", "form", "size"), [(1, "rgb8", 36), (3, "rgb8", 36), (4, "rgba8", 48)])
def test_channels(part, channels, form, size):
    made = raw(part, torch.rand(3, 4, channels))
    assert (made["format"], len(made["data"])) == (form, size)


def test_every_level_survives(part):
    levels = torch.arange(256, dtype=torch.float32) / 255
    made = raw(part, levels[None, :, None].expand(1, 256, 3))
    assert list(made["data"])[::3] == list(range(256))


def test_views_that_are_not_contiguous(part):
    image = torch.rand(6, 4, 3).permute(1, 0, 2)[:, ::2]
    made = raw(part, image)
    assert bytes(made["data"]) == bytes((image * 255).to(torch.uint8).contiguous().numpy())
    assert (made["width"], made["height"]) == (3, 4)


def test_nothing_is_written_into_the_tensor(part):
    with torch.inference_mode():
        image = torch.full((2, 2, 3), 1.25)
    raw(part, image)
    assert image.max() == 1.25


def test_lists_batches_and_video_are_flattened(part):
    single = part("images").single_images
    a, b, video = torch.rand(2, 4, 4, 3), torch.rand(1, 8, 8, 4), torch.rand(2, 3, 4, 4, 3)
    assert [tuple(i.shape) for i in single([a, b])] == [(4, 4, 3)] * 2 + [(8, 8, 4)]
    assert len(single(a)) == 2
    assert len(single([video])) == 6
    assert len(single([torch.rand(0, 4, 4, 3)])) == 0
    assert len(single([torch.rand(4, 4, 3)])) == 1
    assert [single(nothing) for nothing in ([], None, [None], [torch.rand(0, 4, 4, 3)])] == [[]] * 4
    assert len(single([None, a, None])) == 2


@pytest.mark.parametrize(
    "thing", [torch.rand(4, 4, 2), torch.rand(4), torch.rand(0, 4, 3), torch.rand(4, 4, 3) * 1j, "text", None]
)
def test_other_things_are_refused(part, thing):
    with pytest.raises(part("failures").AssayFailure) as caught:
        part("images").raw_image(thing)
    assert caught.value.code == "IMAGE_SHAPE"


@pytest.mark.parametrize(
    ("shape", "said"), [((4, 4, 5), "[4, 4, 5]"), ((4, 4), "[4, 4]"), ((3, 16, 16), "[3, 16, 16]")]
)
def test_another_shape_is_named_with_the_way_to_the_right_one(part, shape, said):
    with pytest.raises(part("failures").AssayFailure) as caught:
        part("images").raw_image(torch.rand(shape))
    assert f"a tensor {said} of torch.float32" in caught.value.message
    assert "permute(0, 2, 3, 1)" in caught.value.fix


def test_one_pixel_that_is_no_number_is_counted(part):
    image = torch.rand(64, 64, 3)
    image[5, 6] = NAN
    with pytest.raises(part("failures").AssayFailure, match="3 NaN among its 12288 values"):
        part("images").raw_image(image)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4"])
@pytest.mark.parametrize("turn", [lambda x: x, lambda x: x[:, ::-1], lambda x: x[0]], ids=["batch", "flipped", "one"])
def test_arrays_of_numpy_are_images(part, dtype, turn):
    array = turn(numpy.linspace(0, 1, 2 * 4 * 5 * 3).reshape(2, 4, 5, 3).astype(dtype))
    images = part("images").single_images([array])
    expected = array.reshape(-1, 4, 5, 3)
    assert len(images) == len(expected)
    for image, one in zip(images, expected, strict=True):
        assert bytes(raw(part, image)["data"]) == (one.astype("float32") * 255).astype("uint8").tobytes()


@pytest.mark.parametrize("dtype", ["complex64", "longdouble", "object", "U4"])
def test_other_arrays_are_named(part, dtype):
    array = numpy.zeros((2, 4, 4, 3)).astype(dtype)
    for image in part("images").single_images(array):
        with pytest.raises(part("failures").AssayFailure, match=r"\[4, 4, 3\] of "):
            part("images").raw_image(image)
