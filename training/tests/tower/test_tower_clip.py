from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import torch.nn.functional as F
from onnx import helper, numpy_helper
from PIL import Image

from assay_training.data import DataError
from assay_training.tower.clip import DEVIATION, MEAN, Shape, load_tower, statistics, to_pixels

SMALL = Shape(side=16, patch=4, trained_grid=4, width=8, heads=2, hidden=12, blocks=2, taps=(0, 1))
EMBEDDINGS = "vision_model.embeddings"
POSITION = f"{EMBEDDINGS}.position_embedding.weight"
LAYER = "vision_model.encoder.layers"


def constants() -> dict[str, np.ndarray]:
    """Float constants under their published names; one block more than SMALL has."""
    rng, width = np.random.default_rng(0), SMALL.width
    shapes = {
        f"{EMBEDDINGS}.class_embedding": (width,),
        f"{EMBEDDINGS}.patch_embedding.weight": (width, 3, SMALL.patch, SMALL.patch),
        POSITION: (SMALL.trained_grid**2 + 1, width),
        "vision_model.pre_layrnorm.weight": (width,),
        "vision_model.pre_layrnorm.bias": (width,),
    }
    for index in range(SMALL.blocks + 1):
        for name in ("layer_norm1", "layer_norm2"):
            shapes |= {f"{LAYER}.{index}.{name}.{part}": (width,) for part in ("weight", "bias")}
        for name in ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj"):
            shapes[f"{LAYER}.{index}.{name}.bias"] = (width,)
        shapes[f"{LAYER}.{index}.mlp.fc1.bias"] = (SMALL.hidden,)
        shapes[f"{LAYER}.{index}.mlp.fc2.bias"] = (width,)
    return {name: rng.normal(0, 0.5, shape).astype(np.float32) for name, shape in shapes.items()}


def products() -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Codes int8 [in, out], zero points and scales per output, by the path of the product."""
    rng, found = np.random.default_rng(1), {}
    attention = [f"self_attn/{name}_proj" for name in ("q", "k", "v", "out")]
    for index in range(SMALL.blocks + 1):
        for name in (*attention, "mlp/fc1", "mlp/fc2"):
            rows, columns = (
                SMALL.hidden if name.endswith(end) else SMALL.width for end in ("mlp/fc2", "mlp/fc1")
            )
            found[f"layers.{index}/{name}"] = (
                rng.integers(-128, 128, (rows, columns)).astype(np.int8),
                rng.integers(-5, 6, columns).astype(np.int8),
                rng.uniform(0.002, 0.01, columns).astype(np.float32),
            )
    return found


def write(path: Path, floats: dict[str, np.ndarray], integers: dict[str, tuple]) -> Path:
    """The file as dynamic quantisation leaves it: matrices have numbers for names, nodes have paths."""
    stored, nodes = dict(floats), []
    for number, (place, (codes, zero, scale)) in enumerate(integers.items()):
        base = f"onnx::MatMul_{1550 + number}"
        stored |= {f"{base}_quantized": codes, f"{base}_zero_point": zero, f"{base}_scale": scale}
        inputs = [f"x{number}", f"{base}_quantized", f"zero{number}", f"{base}_zero_point"]
        name = f"/vision_model/encoder/{place}/MatMul_quant"
        nodes.append(helper.make_node("MatMulInteger", inputs, [f"y{number}"], name=name))
    tensors = [numpy_helper.from_array(value, name) for name, value in stored.items()]
    onnx.save(helper.make_model(helper.make_graph(nodes, "clip", [], [], tensors)), path)
    return path


@pytest.fixture(scope="module")
def stored(tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("clip") / "clip.onnx", constants(), products())


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (3, SMALL.side, SMALL.side, 3), np.uint8)


def normed(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    deviation = np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    return (x - x.mean(-1, keepdims=True)) / deviation * weight + bias


def block(x: np.ndarray, index: int) -> np.ndarray:
    """One block on tokens [N, T, width], from what the file holds."""
    known = {name.split(f"layers.{index}.")[-1]: value for name, value in constants().items()}
    integers = {name.split(f"layers.{index}/")[-1]: value for name, value in products().items()}

    def times(x: np.ndarray, name: str) -> np.ndarray:
        codes, zero, scale = integers[name.replace(".", "/")]
        return x @ ((codes.astype(float) - zero) * scale) + known[f"{name}.bias"]

    y = normed(x, known["layer_norm1.weight"], known["layer_norm1.bias"])
    q, k, v = (times(y, f"self_attn.{name}_proj") for name in "qkv")
    size, mixed = SMALL.width // SMALL.heads, []
    for head in range(SMALL.heads):
        here = slice(head * size, (head + 1) * size)
        weights = np.exp(q[..., here] @ k[..., here].swapaxes(1, 2) / size**0.5)
        mixed.append(weights / weights.sum(-1, keepdims=True) @ v[..., here])
    x = x + times(np.concatenate(mixed, -1), "self_attn.out_proj")
    y = times(normed(x, known["layer_norm2.weight"], known["layer_norm2.bias"]), "mlp.fc1")
    return x + times(y / (1 + np.exp(-1.702 * y)), "mlp.fc2")


def test_loaded_tower_equals_plain_arithmetic_on_what_is_stored(stored, images):
    known, width = constants(), SMALL.width
    scaled = (images / 255 - MEAN) / np.array(DEVIATION)
    cut = scaled.reshape(3, SMALL.grid, SMALL.patch, SMALL.grid, SMALL.patch, 3)
    flat = cut.transpose(0, 1, 3, 5, 2, 4).reshape(3, SMALL.grid**2, -1)
    patches = flat @ known[f"{EMBEDDINGS}.patch_embedding.weight"].reshape(width, -1).T
    first = np.broadcast_to(known[f"{EMBEDDINGS}.class_embedding"], (3, 1, width))
    x = np.concatenate([first, patches], 1) + known[POSITION]
    x = normed(x, known["vision_model.pre_layrnorm.weight"], known["vision_model.pre_layrnorm.bias"])
    expected = []
    for index in range(SMALL.blocks):
        x = block(x, index)
        expected += [x[:, 0], x[:, 1:].mean(1), x[:, 1:].std(1)]
    with torch.inference_mode():
        found = load_tower(stored, SMALL)(to_pixels(images)).numpy()
    assert found.shape == (3, SMALL.stats)
    np.testing.assert_allclose(found, np.concatenate(expected, 1), rtol=1e-4, atol=1e-4)


def test_normalisation_is_folded_into_the_patches(stored, images):
    tower, kernel = load_tower(stored, SMALL), constants()[f"{EMBEDDINGS}.patch_embedding.weight"]
    scaled = ((images / 255 - MEAN) / np.array(DEVIATION)).transpose(0, 3, 1, 2).astype(np.float32)
    expected = F.conv2d(torch.from_numpy(scaled), torch.from_numpy(kernel), stride=SMALL.patch)
    with torch.inference_mode():
        torch.testing.assert_close(tower.patch(to_pixels(images)), expected, rtol=1e-4, atol=1e-4)
        black = tower.embed(torch.zeros(1, 3, SMALL.side, SMALL.side))
        white = tower.embed(torch.full((1, 3, SMALL.side, SMALL.side), 255.0))
    assert (black - white)[:, 1:].abs().mean() > 0.1
    torch.testing.assert_close(black[:, 0], white[:, 0])


@pytest.mark.parametrize("side", [12, 24], ids=["smaller", "larger"])
def test_position_grid_is_resized_and_the_class_token_stays(stored, side):
    shape = Shape(**{**SMALL.__dict__, "side": side})
    known = constants()[POSITION]
    found = load_tower(stored, shape).position.detach().numpy()
    assert found.shape == (shape.grid**2 + 1, SMALL.width)
    np.testing.assert_array_equal(found[0], known[0])
    for channel in range(SMALL.width):
        grid = Image.fromarray(known[1:, channel].reshape(SMALL.trained_grid, -1))
        expected = np.asarray(grid.resize((shape.grid, shape.grid), Image.Resampling.BICUBIC))
        np.testing.assert_allclose(found[1:, channel].reshape(shape.grid, -1), expected, atol=1e-5)


def test_shape_counts_tokens_and_statistics():
    shape = Shape()
    assert (shape.grid, shape.tokens, shape.stats) == (10, 101, 6912)
    assert (SMALL.grid, SMALL.tokens, SMALL.stats) == (4, 17, 48)


def test_statistics_are_class_token_mean_and_deviation():
    tokens = torch.tensor([[[9.0, 8.0], [1.0, 2.0], [3.0, 2.0]]])
    assert statistics(tokens).tolist() == [[9, 8, 2, 2, 1, 0]]


def test_channels_come_second():
    pixels = np.zeros((1, 4, 6, 3), np.uint8)
    pixels[0, 1, 2] = (255, 51, 0)
    found = to_pixels(pixels)
    assert (found.shape, found.dtype) == ((1, 3, 4, 6), torch.float32)
    assert found[0, :, 1, 2].tolist() == [255, 51, 0]


def refusal(path: Path) -> str:
    """What loading says of a file."""
    with pytest.raises(DataError) as caught:
        load_tower(path, SMALL)
    return str(caught.value)


def test_what_is_no_onnx_file_is_named(tmp_path):
    path = tmp_path / "clip.onnx"
    assert refusal(path).startswith(f"{path}: cannot be read as ONNX: ")
    path.write_bytes(b"PK\x03\x04 not a graph")
    assert refusal(path).startswith(f"{path}: cannot be read as ONNX: ")
    path.write_bytes(b"")
    assert refusal(path).startswith(f"{path}: no CLIP ViT-B/16 image tower: constant {EMBEDDINGS}.patch")


@pytest.mark.parametrize("name", [POSITION, f"{LAYER}.1.layer_norm2.bias", f"{LAYER}.1.mlp.fc2.bias"])
def test_missing_constant_is_named(tmp_path, name):
    floats = constants()
    del floats[name]
    path = write(tmp_path / "clip.onnx", floats, products())
    assert refusal(path) == f"{path}: no CLIP ViT-B/16 image tower: constant {name} is missing"


@pytest.mark.parametrize("name", [POSITION, f"{LAYER}.0.self_attn.k_proj.bias"])
def test_constant_of_another_shape_is_named(tmp_path, name):
    floats = constants()
    shape = floats[name].shape
    floats[name] = floats[name][:-1]
    path = write(tmp_path / "clip.onnx", floats, products())
    assert refusal(path) == f"{path}: {name}: expected shape {shape}, found {floats[name].shape}"


def test_matrix_of_another_shape_is_named(tmp_path):
    integers = products()
    codes, zero, scale = integers["layers.1/mlp/fc1"]
    integers["layers.1/mlp/fc1"] = codes[:, :-1], zero[:-1], scale[:-1]
    path = write(tmp_path / "clip.onnx", constants(), integers)
    assert refusal(path) == f"{path}: layers.1/mlp/fc1/: expected shape (12, 8), found (11, 8)"


@pytest.mark.parametrize("part", ["_scale", "_zero_point"])
def test_missing_scale_of_a_product_is_named(tmp_path, part):
    path = write(tmp_path / "clip.onnx", constants(), products())
    model = onnx.load(path)
    gone = next(value for value in model.graph.initializer if value.name.endswith(part))
    model.graph.initializer.remove(gone)
    onnx.save(model, path)
    assert refusal(path) == f"{path}: no CLIP ViT-B/16 image tower: constant {gone.name} is missing"


@pytest.mark.parametrize("place", ["layers.0/self_attn/v_proj", "layers.1/mlp/fc2"])
def test_missing_product_is_named(tmp_path, place):
    integers = products()
    del integers[place]
    path = write(tmp_path / "clip.onnx", constants(), integers)
    assert refusal(path) == f"{path}: no CLIP ViT-B/16 image tower: no int8 product for {place}/"
