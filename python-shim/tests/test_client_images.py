"""What becomes of each kind of image, and what is refused in which words."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from assay_client import AssayFailure
from assay_client.images import pictures_of

SHAPES = [(2, 9, 7), (1, 16, 16), (3, 5, 64)]


def pixels(images, **options) -> list[np.ndarray]:
    """The 8-bit pixels that would be sent."""
    made = [picture.load() for picture in pictures_of(images, **options)]
    channels = {"rgb8": 3, "rgba8": 4}
    return [
        np.frombuffer(one["data"], np.uint8).reshape(one["height"], one["width"], channels[one["format"]])
        for one in made
    ]


def floats(shape, channels=3, seed=0) -> np.ndarray:
    return np.random.default_rng(seed).random((*shape, channels), dtype=np.float32)


def refusal(images, **options) -> AssayFailure:
    with pytest.raises(AssayFailure) as caught:
        [picture.load() for picture in pictures_of(images, **options)]
    return caught.value


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("seed", range(3))
def test_every_form_of_the_same_images_has_the_same_bytes(shape, channels, seed):
    nhwc = floats(shape, channels, seed)
    eight = np.clip(np.rint(nhwc * 255), 0, 255).astype(np.uint8)
    expected = np.repeat(eight, 3, axis=3) if channels == 1 else eight
    nchw = nhwc.transpose(0, 3, 1, 2)
    forms = [
        *(nhwc, nchw, eight, eight.transpose(0, 3, 1, 2), np.asfortranarray(nhwc)),
        *(nhwc.astype(np.float64), torch.from_numpy(nhwc), torch.from_numpy(nchw.copy()), torch.from_numpy(eight)),
        *(list(nhwc), list(nchw), tuple(torch.from_numpy(nchw.copy())), [one[None] for one in nhwc]),
        torch.from_numpy(nhwc).requires_grad_(),
    ]
    if channels != 1:
        forms.append([Image.fromarray(one) for one in eight])
    for form in forms:
        assert np.array_equal(np.stack(pixels(form)), expected)


def test_rounding_is_that_of_the_trainers():
    images = torch.rand(4, 3, 17, 13, generator=torch.Generator().manual_seed(0))
    theirs = (images * 255).round().clamp(0, 255).to(torch.uint8).numpy().transpose(0, 2, 3, 1)
    assert np.array_equal(np.stack(pixels(images)), theirs)


def test_all_256_levels_come_back():
    levels = np.arange(256, dtype=np.float64).reshape(1, 16, 16, 1).repeat(3, axis=3) / 255
    for dtype in (np.float16, np.float32, np.float64):
        assert np.array_equal(pixels(levels.astype(dtype))[0][..., 0].ravel(), np.arange(256))


def test_half_types_of_torch():
    images = torch.tensor([0.0, 0.5, 1.0])[:, None, None, None].expand(3, 3, 8, 8)
    for dtype in (torch.float16, torch.bfloat16):
        assert [int(one[0, 0, 0]) for one in pixels(images.to(dtype))] == [0, 128, 255]


def test_files_and_bytes_are_sent_as_they_are(tmp_path):
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(file, "PNG")
    data = file.getvalue()
    path = tmp_path / "a.png"
    path.write_bytes(data)
    for image in (path, str(path), data, bytearray(data), memoryview(data)):
        assert [picture.load() for picture in pictures_of(image)] == [data]
        assert [picture.load() for picture in pictures_of([image, image])] == [data, data]
    assert pictures_of(path)[0].source == str(path)


@pytest.mark.parametrize(
    ("mode", "channels"),
    [("RGB", 3), ("RGBA", 4), ("L", 3), ("LA", 4), ("P", 3), ("1", 3), ("CMYK", 3), ("RGBa", 4)],
)
def test_modes_of_pillow(mode, channels):
    source = Image.new("RGBA" if "a" in mode.lower() else "RGB", (6, 5), "white")
    assert pixels(source.convert(mode))[0].shape == (5, 6, channels)


def test_a_picture_from_a_file_is_read_when_its_turn_comes(tmp_path):
    Image.new("RGB", (6, 5), "red").save(tmp_path / "a.png")
    assert pixels(Image.open(tmp_path / "a.png"))[0][0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_a_picture_of_more_than_8_bits_is_not_cut_off(mode):
    assert refusal(Image.new(mode, (6, 5))).code == "IMAGE_SHAPE"


@pytest.mark.parametrize(
    ("change", "range_", "fix"),
    [
        (lambda x: x * 2 - 1, "from -1 to 1", "(x + 1) / 2"),
        (lambda x: x * 255, "from 0 to 255", "by 255"),
        (lambda x: x * 2 - 1 + 0.2, "from -0.8 to 1.2", "(x + 1) / 2"),
        (lambda x: x * 3.0, "from 0 to 3", "by 255"),
    ],
)
def test_another_scale_is_refused_by_name_range_and_fix(change, range_, fix):
    images = change(torch.linspace(0, 1, 2 * 3 * 16 * 16).reshape(2, 3, 16, 16))
    failure = refusal(images)
    assert failure.code == "IMAGE_VALUES"
    assert "images" in failure.message and "[2, 3, 16, 16]" in failure.message and range_ in failure.message
    assert fix in failure.fix


def test_a_bright_image_beside_one_of_another_scale_is_not_sent():
    failure = refusal([np.full((8, 8, 3), 0.9), np.full((8, 8, 3), -0.9)])
    assert failure.code == "IMAGE_VALUES" and "images[1]" in failure.message


@pytest.mark.parametrize("seed", range(20))
def test_no_batch_of_another_scale_passes(seed):
    """Also where most of it would pass: what lies outside may be as little as a hundredth."""
    random = np.random.default_rng(seed)
    images = random.random((2, 12, 12, 3), dtype=np.float32)
    spots = random.random(images.shape) < 0.02
    images[spots] = random.choice([-1.0, -0.3, 1.3, 2.0, 255.0]) * (1 - 0.1 * random.random(spots.sum()))
    assert refusal(images).code == "IMAGE_VALUES"


def test_stray_values_are_cut_off_and_said():
    images = np.full((1, 40, 40, 3), 0.5, np.float32)
    images[0, 0, 0] = [1.02, -0.01, 0.5]
    picture = pictures_of(images)[0]
    assert picture.load()["data"][:3].tolist() == [255, 0, 128]
    assert "0.04%" in picture.notes[0]


@pytest.mark.parametrize(("value", "said"), [(np.nan, "1 NaN"), (np.inf, "1 infinite"), (-np.inf, "1 infinite")])
def test_what_is_no_number_is_the_fault_of_its_image(value, said):
    images = np.full((3, 8, 8, 3), 0.5, np.float32)
    images[1, 2, 3, 0] = value
    first, bad, last = pictures_of(images)
    assert first.load() and last.load()
    with pytest.raises(AssayFailure, match=rf"images\[1\].*{said} among its 192 values.*IMAGE_VALUES.*half precision"):
        bad.load()


@pytest.mark.parametrize(
    "images",
    [
        *(np.zeros((8, 8)), np.zeros((2, 8, 8, 2)), np.zeros((2, 0, 8, 3)), np.zeros((1, 3, 4, 8, 8)), np.zeros(())),
        *(np.zeros((8, 8, 3), np.int32), np.zeros((8, 8, 3), np.uint16), np.zeros((8, 8, 3), bool)),
        *(np.zeros((8, 8, 3), object), np.zeros((8, 8, 3), complex), torch.zeros(8, 8, 3, dtype=torch.int64)),
        *(5, None, [5], [None], [[1, 2]], {"a": 1}, [np.zeros((2, 8, 8, 3))], pytest.param(object(), id="an object")),
    ],
    ids=lambda images: f"{getattr(images, 'shape', images)}"[:30],
)
def test_what_is_no_image(images):
    failure = refusal(images)
    assert failure.code == "IMAGE_SHAPE"
    assert failure.message.startswith("images") and failure.fix


def test_a_shape_with_two_meanings_is_asked_about():
    images = np.zeros((2, 3, 8, 3), np.uint8)
    assert 'layout="NCHW"' in refusal(images).fix
    assert pixels(images, layout="NHWC")[0].shape == (3, 8, 3)
    assert pixels(images, layout="NCHW")[0].shape == (8, 3, 3)
    assert refusal(images, layout="WHC").code == "BAD_REQUEST"
    assert refusal(np.zeros((8, 8, 3)), layout="CHW").code == "IMAGE_SHAPE"


@pytest.mark.parametrize("name", ["absent.png", "http://127.0.0.1/a.png", "a\0b"])
def test_files_that_are_none(name, tmp_path):
    assert refusal(str(tmp_path / name)).code in ("FILE_NOT_FOUND", "FILE_UNREADABLE")


def test_empty_and_unreadable_files(tmp_path):
    (tmp_path / "a.png").touch()
    assert refusal(tmp_path / "a.png").code == "IMAGE_EMPTY"
    assert refusal(b"").code == "IMAGE_EMPTY"
    assert refusal(tmp_path).code == "FILE_UNREADABLE"


def test_nothing_is_imported_that_the_caller_does_not_bring():
    import subprocess
    import sys

    code = "import sys, assay_client.rewards; print(sorted({'torch', 'PIL', 'aiohttp'} & set(sys.modules)))"
    folder = Path(__file__).parents[1]
    said = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
