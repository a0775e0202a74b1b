"""Tensors become the bytes that SaveImage would write."""

import pytest
import torch


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_values_outside_the_range_are_cut_off(part, dtype):
    values = [float("nan"), -1.0, 0.0, 0.5, 1.0, 7.0, float("inf"), float("-inf")]
    image = torch.tensor(values, dtype=dtype)[None, :, None].expand(2, 8, 3)
    raw = part("images").raw_image(image)
    row = [0, 0, 0, 127, 255, 255, 255, 0]
    assert list(raw["data"]) == [v for v in row for _ in range(3)] * 2
    assert (raw["format"], raw["width"], raw["height"]) == ("rgb8", 8, 2)


@pytest.mark.parametrize(("channels", "form", "size"), [(1, "rgb8", 36), (3, "rgb8", 36), (4, "rgba8", 48)])
def test_channels(part, channels, form, size):
    raw = part("images").raw_image(torch.rand(3, 4, channels))
    assert (raw["format"], len(raw["data"])) == (form, size)


def test_every_level_survives(part):
    levels = torch.arange(256, dtype=torch.float32) / 255
    raw = part("images").raw_image(levels[None, :, None].expand(1, 256, 3))
    assert list(raw["data"])[::3] == (255.0 * levels.numpy()).clip(0, 255).astype("uint8").tolist()


def test_views_that_are_not_contiguous(part):
    image = torch.rand(6, 4, 3).permute(1, 0, 2)[:, ::2]
    raw = part("images").raw_image(image)
    assert bytes(raw["data"]) == bytes((image * 255).to(torch.uint8).contiguous().numpy())
    assert (raw["width"], raw["height"]) == (3, 4)


def test_nothing_is_written_into_the_tensor(part):
    with torch.inference_mode():
        image = torch.full((2, 2, 3), 3.0)
    part("images").raw_image(image)
    assert image.max() == 3


def test_lists_batches_and_video_are_flattened(part):
    single = part("images").single_images
    a, b, video = torch.rand(2, 4, 4, 3), torch.rand(1, 8, 8, 4), torch.rand(2, 3, 4, 4, 3)
    assert [tuple(i.shape) for i in single([a, b])] == [(4, 4, 3)] * 2 + [(8, 8, 4)]
    assert len(single(a)) == 2
    assert len(single([video])) == 6
    assert len(single([torch.rand(0, 4, 4, 3)])) == 0
    assert len(single([torch.rand(4, 4, 3)])) == 1


@pytest.mark.parametrize("thing", [torch.rand(4, 4, 2), torch.rand(4), torch.rand(0, 4, 3), "text", None])
def test_other_things_are_refused(part, thing):
    with pytest.raises(part("failures").AssayFailure) as caught:
        part("images").raw_image(thing)
    assert caught.value.code == "IMAGE_UNSUPPORTED"
