"""prepare.py against Pillow and torch called directly, with sizes computed by hand."""

import json
from base64 import b64decode
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from assay_training.prepare import prepare, windows

BASE = {"input": "image", "width": 24, "height": 24, "layout": "nhwc", "dtype": "uint8"}
RULE = {"count": 3, "stride": 8, "largeStride": 12, "largeSide": 64, "enlargeTo": 40, "whole": "whole"}
WINDOWS = BASE | {"resize": "windows", "kernel": "pillow-linear", "windows": RULE}


VECTORS = Path(__file__).parents[3] / "test/reward/image/vectors/resample.json"


def picture(width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(width * height).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(pixels)


def by_axis(image: Image.Image, size: tuple[int, int], filter: int) -> Image.Image:
    """Columns, then rows: later versions of Pillow may begin with the rows, which gives other bytes."""
    return image.resize((size[0], image.height), filter).resize(size, filter)


def interpolated(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    planes = torch.from_numpy(np.array(pixels, np.float32)).permute(2, 0, 1)[None]
    return torch.nn.functional.interpolate(planes, size, mode="bilinear")[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize(("kernel", "filter"), [("pillow-cubic", 3), ("pillow-linear", 2), ("cubic", 3)])
@pytest.mark.parametrize("size", [(24, 24), (31, 57), (90, 20)])
def test_stretch_is_pillows_resize(kernel, filter, size):
    image = picture(*size)
    found = prepare(image, BASE | {"resize": "stretch", "kernel": kernel})["image"]
    assert found.dtype == np.uint8
    wanted = image.resize((24, 24), filter) if kernel == "cubic" else by_axis(image, (24, 24), filter)
    np.testing.assert_array_equal(found, np.asarray(wanted))


# sizes by torchvision's rule: int(24 * 57 / 31) = 44, int(24 * 50 / 37) = 32, int(24 * 35 / 30) = 28
# int(24 * 41 / 36) = 27: margins of 1.5, which goes to 2; int(24 * 31 / 29) = 25: of 0.5, which goes to 0
@pytest.mark.parametrize(
    ("size", "inner", "left", "top"),
    [
        ((31, 57), (24, 44), 0, 10),
        ((50, 37), (32, 24), 4, 0),
        ((35, 30), (28, 24), 2, 0),
        ((41, 36), (27, 24), 2, 0),
        ((29, 31), (24, 25), 0, 0),
        ((24, 24), (24, 24), 0, 0),
    ],
)
def test_cover_resizes_the_shorter_side_and_cuts_out_the_centre(size, inner, left, top):
    image = picture(*size)
    found = prepare(image, BASE | {"resize": "cover", "kernel": "pillow-cubic"})["image"]
    wanted = by_axis(image, inner, Image.Resampling.BICUBIC).crop((left, top, left + 24, top + 24))
    np.testing.assert_array_equal(found, np.asarray(wanted))


@pytest.mark.parametrize("size", [(31, 57), (90, 20), (24, 24), (300, 31), (35, 30)])
def test_contain_is_pillows_pad(size):
    image = picture(*size)
    found = prepare(image, BASE | {"resize": "contain", "kernel": "pillow-linear"})["image"]
    np.testing.assert_array_equal(found, np.asarray(ImageOps.pad(image, (24, 24), Image.Resampling.BILINEAR)))


def test_torch_linear_is_not_rounded_and_not_antialiased():
    image = picture(90, 20)
    spec = BASE | {
        "resize": "stretch",
        "kernel": "torch-linear",
        "dtype": "float32",
        "scale": 2,
        "offset": -1,
    }
    found = prepare(image, spec)["image"]
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, interpolated(image, (24, 24)) * 2 - 1)


def test_opencv_cubic_is_what_opencv_makes():
    stored = json.loads(VECTORS.read_text())
    cases = [case for case in stored["resizes"] if case["kernel"] == "opencv-cubic"]
    assert len(cases) > 5
    for case in cases:
        width, height = map(int, case["source"].split("x"))
        pixels = np.frombuffer(b64decode(stored["sources"][case["source"]]), np.uint8)
        spec = BASE | {"width": case["width"], "height": case["height"], "resize": "stretch"}
        found = prepare(Image.fromarray(pixels.reshape(height, width, 3)), spec | {"kernel": "opencv-cubic"})
        assert found["image"].tobytes() == b64decode(case["pixels"])


def test_modes_that_are_not_known_are_named():
    image = picture(30, 30)
    with pytest.raises(ValueError, match="'cover' with kernel 'cubic'"):
        prepare(image, BASE | {"resize": "cover", "kernel": "cubic"})
    with pytest.raises(ValueError, match="found 'lanczos3'"):
        prepare(image, BASE | {"resize": "stretch", "kernel": "lanczos3"})
    with pytest.raises(ValueError, match=r"image\.dtype: kernel 'torch-linear' gives float32"):
        prepare(image, BASE | {"resize": "stretch", "kernel": "torch-linear"})


def test_windows_are_in_row_major_order_at_equal_steps():
    # 48 x 40 pixels: 4 columns and 3 rows of full windows at stride 8; 12 // 3 = 4, so numbers 0, 4, 8
    image = picture(48, 40)
    pixels = np.asarray(image)
    found = prepare(image, WINDOWS)
    wanted = [pixels[0:24, 0:24], pixels[8:32, 0:24], pixels[16:40, 0:24]]
    np.testing.assert_array_equal(found["image"], np.stack(wanted))
    np.testing.assert_array_equal(found["whole"], interpolated(pixels, (24, 24)))
    alone = {name: value for name, value in RULE.items() if name != "whole"}
    assert list(prepare(image, WINDOWS | {"windows": alone})) == ["image"]


def test_windows_lie_further_apart_from_the_large_side_on():
    # 63 wide: 5 columns, 3 rows at stride 8, numbers 0, 5, 10; 64 wide: 4 and 2 at stride 12, numbers 0, 2, 4
    for width, corners in ((63, [(0, 0), (8, 0), (16, 0)]), (64, [(0, 0), (0, 24), (12, 0)])):
        pixels = np.asarray(picture(width, 40))
        found = windows(pixels, (24, 24), RULE)
        wanted = [pixels[top : top + 24, left : left + 24] for top, left in corners]
        np.testing.assert_array_equal(found, np.stack(wanted))


@pytest.mark.parametrize(
    ("size", "larger"), [((30, 20), (60, 40)), ((39, 50), (40, 51)), ((17, 60), (40, 141))]
)
def test_small_images_are_enlarged_before_windows_and_whole(size, larger):
    image = picture(*size)
    pixels = np.asarray(image.resize(larger, Image.Resampling.BILINEAR))
    found = prepare(image, WINDOWS)
    np.testing.assert_array_equal(found["image"], windows(pixels, (24, 24), RULE))
    np.testing.assert_array_equal(found["whole"], interpolated(pixels, (24, 24)))


def test_with_fewer_windows_than_wanted_the_first_is_repeated():
    pixels = np.asarray(picture(32, 24))
    found = windows(pixels, (24, 24), RULE)
    np.testing.assert_array_equal(found, np.stack([pixels[:, :24]] * 3))


def test_an_image_that_holds_no_window_is_named():
    with pytest.raises(ValueError, match="20x30 pixels hold no window of 24x24"):
        windows(np.asarray(picture(20, 30)), (24, 24), RULE)
