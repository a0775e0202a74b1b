import numpy as np
import torch
from PIL import Image

from assay_training.acl_iqa.config import Views
from assay_training.acl_iqa.views import corners, cut, enlarged, spread, spread_views, training_views, whole


def picture(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))


def test_small_images_are_enlarged_by_their_shorter_side():
    assert enlarged(picture(300, 401), 512).size == (512, int(512 * 401 / 300))
    assert enlarged(picture(700, 400), 512).size == (896, 512)
    image = picture(512, 600)
    assert enlarged(image, 512) is image


def test_windows_are_listed_row_by_row_with_a_stride_by_size():
    places = corners(512, 512, 224, Views())
    assert len(places) == 100
    assert places[:2].tolist() == [[0, 0], [0, 32]] and places[99].tolist() == [288, 288]
    assert len(corners(1023, 512, 224, Views())) == 25 * 10
    assert len(corners(1024, 512, 224, Views())) == 17 * 7
    assert len(corners(512, 1024, 224, Views())) == 7 * 17


def test_windows_at_test_time_are_evenly_spread():
    assert spread(100, 15).tolist() == list(range(0, 90, 6))
    assert spread(119, 4).tolist() == [0, 29, 58, 87]
    image = picture(520, 512)
    windows, _ = spread_views(image, 224, Views())
    pixels = np.asarray(image)
    assert windows.shape == (15, 224, 224, 3)
    assert np.array_equal(windows[3], pixels[32 : 32 + 224, 8 * 32 : 8 * 32 + 224])  # number 18 of 10 x 10


def test_cut_takes_rows_first():
    pixels = np.arange(5 * 6 * 3, dtype=np.uint8).reshape(5, 6, 3)
    assert np.array_equal(cut(pixels, np.array([[1, 3]]), 2)[0], pixels[1:3, 3:5])


def test_whole_is_linear_without_antialiasing_and_not_rounded():
    pixels = np.zeros((8, 4, 3), np.uint8)
    pixels[::4, :, 0] = 100  # two of eight rows
    found = whole(pixels, 4)
    assert (found.shape, found.dtype) == ((4, 4, 3), torch.float32)
    assert found[:, 0, 0].tolist() == [50, 0, 50, 0]
    assert not found[..., 1:].any()


def test_training_views_are_windows_of_the_image_or_its_mirror_image():
    image, views = picture(24, 24), Views(training=3, stride=4, enlarge_to=24)
    pixels, mirrored = np.asarray(image), 0
    for seed in range(20):
        windows, seen = training_views(image, 12, views, np.random.default_rng(seed))
        flipped = not torch.equal(seen, whole(pixels, 12))
        mirrored += flipped
        source = pixels[:, ::-1] if flipped else pixels
        known = {window.tobytes() for window in cut(source, corners(24, 24, 12, views), 12)}
        assert len({window.numpy().tobytes() for window in windows} & known) == 3
    assert 0 < mirrored < 20
