import numpy as np
import torch
from PIL import Image

from assay_training.acl_iqa.config import Views
from assay_training.acl_iqa.views import WINDOWS, image_spec, spread_views, training_views
from assay_training.prepare import corners, cut, enlarged, prepare, resized


def picture(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))


def published(height: int, width: int) -> list[tuple[int, int]]:
    return corners((height, width), (224, 224), image_spec(224, Views())["windows"])


def test_small_images_are_enlarged_by_their_shorter_side():
    spec = image_spec(224, Views())
    for (width, height), larger in {
        (300, 401): (512, 684),
        (700, 400): (896, 512),
        (512, 600): (512, 600),
    }.items():
        assert enlarged(np.asarray(picture(width, height)), spec).shape[1::-1] == larger


def test_windows_are_listed_row_by_row_with_a_stride_by_size():
    places = published(512, 512)
    assert len(places) == 100
    assert places[:2] == [(0, 0), (0, 32)]
    assert places[99] == (288, 288)
    assert len(published(1023, 512)) == 25 * 10
    assert len(published(1024, 512)) == 17 * 7
    assert len(published(512, 1024)) == 7 * 17


def test_windows_at_test_time_are_every_sixth_of_a_hundred():
    image = picture(520, 512)
    windows, whole = spread_views(image, 224, Views())
    pixels = np.asarray(image)
    assert (windows.shape, windows.dtype) == ((15, 224, 224, 3), torch.uint8)
    assert np.array_equal(windows[3], pixels[32 : 32 + 224, 8 * 32 : 8 * 32 + 224])  # number 18 of 10 x 10
    assert (whole.shape, whole.dtype) == ((224, 224, 3), torch.float32)


def test_cut_takes_rows_first():
    pixels = np.arange(5 * 6 * 3, dtype=np.uint8).reshape(5, 6, 3)
    assert np.array_equal(cut(pixels, [(1, 3)], (2, 2))[0], pixels[1:3, 3:5])


def test_whole_is_linear_without_antialiasing_and_not_rounded():
    pixels = np.zeros((8, 4, 3), np.uint8)
    pixels[::4, :, 0] = 100  # two of eight rows
    found = resized(pixels, 4, 4, "torch-linear")
    assert (found.shape, found.dtype) == ((4, 4, 3), np.float32)
    assert found[:, 0, 0].tolist() == [50, 0, 50, 0]
    assert not found[..., 1:].any()


def test_training_views_are_windows_of_the_image_or_its_mirror_image():
    image, views = picture(24, 24), Views(training=3, stride=4, enlarge_to=24)
    pixels, mirrored = np.asarray(image), 0
    rule = image_spec(12, views)["windows"]
    for seed in range(20):
        windows, seen = training_views(image, 12, views, np.random.default_rng(seed))
        flipped = not np.array_equal(seen, resized(pixels, 12, 12, "torch-linear"))
        mirrored += flipped
        source = pixels[:, ::-1] if flipped else pixels
        known = {window.tobytes() for window in cut(source, corners((24, 24), (12, 12), rule), (12, 12))}
        assert len({window.numpy().tobytes() for window in windows} & known) == 3
    assert 0 < mirrored < 20


def test_images_without_colours_are_taken_too():
    grey = picture(520, 512).convert("L")
    rgb = prepare(grey, image_spec(224, Views()))[WINDOWS]
    assert np.array_equal(spread_views(grey, 224, Views())[0], rgb)
    assert training_views(grey, 224, Views(), np.random.default_rng(0))[0].shape == (8, 224, 224, 3)
