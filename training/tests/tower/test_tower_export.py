import copy
from collections import Counter
from functools import partial

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from assay_training.scorer import open_session, token_ids
from assay_training.tower.clip import MATRICES, Tower, to_pixels
from assay_training.tower.compress import Compressed
from assay_training.tower.readback import read_back
from assay_training.tower.words import CONTEXT, encode
from tower.tower_world import TINY

PROMPTS = (
    "a lake at dusk",
    "",
    "the old man, hills of the old lakes",
    "山 a sky 風",
    "very, " * 60 + "blue sky",
)


def ids_of(prompts: tuple[str, ...], words) -> np.ndarray:
    text = {"contextLength": CONTEXT, "padId": 0, "dtype": "int64"}
    return np.stack([token_ids(ids, text) for ids in encode(words.tokenizer, np.array(prompts))])


def dims(value: onnx.ValueInfoProto) -> list:
    return [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]


def half(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float16).astype(np.float32)


def as_stored(compressed: Compressed, inputs: bool) -> Tower:
    """The tower with constants rounded as the graph keeps them, and if asked also the inputs of products."""
    tower, width = copy.deepcopy(compressed.tower), TINY.width
    with torch.no_grad():
        scale = tower.patch.weight.abs().amax((1, 2, 3), keepdim=True) / 127
        tower.patch.weight.copy_((tower.patch.weight / scale).round() * scale)
        tower.position[0] += tower.first
        tower.first.zero_()
        tower.position.copy_(tower.position.half())
        for index, block in enumerate(tower.blocks):
            for name in MATRICES:
                product = compressed.products[f"{index}.{name}"]
                factor = np.ones(len(product.bias), np.float32)
                if name == "qkv":  # scores are divided, and values are what the next product takes
                    factor[:width] = (width // TINY.heads) ** -0.5
                    factor[2 * width :] = 1 / compressed.products[f"{index}.out"].reach
                reach, layer = torch.from_numpy(product.reach), getattr(block, name)
                matrix = product.coded.integers() * (half(product.coded.scale * factor) / factor)[:, None]
                layer.weight.copy_(torch.from_numpy(matrix) / reach)
                layer.bias.copy_(torch.from_numpy(half(product.bias * factor) / factor))
                if inputs:
                    layer.register_forward_pre_hook(partial(_in_eight_bits, reach))
    return tower


def _in_eight_bits(reach: torch.Tensor, layer: torch.nn.Module, inputs: tuple[torch.Tensor]) -> torch.Tensor:
    return (inputs[0] / reach * 127).round().clamp(-128, 127) / 127 * reach


def test_graph_takes_uint8_nhwc_and_only_the_batch_is_dynamic(tower_graph):
    model = onnx.load(tower_graph)
    (image,), (statistics,) = model.graph.input, model.graph.output
    assert (image.name, image.type.tensor_type.elem_type) == ("image", onnx.TensorProto.UINT8)
    assert (dims(image), dims(statistics)) == (["n", 32, 32, 3], ["n", TINY.stats])
    assert statistics.name == "statistics"


def test_graph_equals_the_rounded_tower(compressed, pixels, statistics):
    with torch.inference_mode():
        plain, exact = (
            tower(to_pixels(pixels)).numpy()
            for tower in (compressed.tower, as_stored(compressed, inputs=True))
        )
    assert np.corrcoef(plain.ravel(), statistics.ravel())[0, 1] > 0.995
    # one input that falls on the other side of a step moves all statistics of its image, hence the median
    off = np.abs(exact - statistics).max(1)
    assert np.median(off) < 1e-4
    assert np.median(off) < 1e-3 * np.median(np.abs(plain - statistics).max(1))


def test_graph_can_be_read_back_with_or_without_heads(compressed, tower_graph, scorer_graph, pixels):
    with torch.inference_mode():
        expected = as_stored(compressed, inputs=False)(to_pixels(pixels))
        for path in (tower_graph, scorer_graph):
            found = read_back(path, TINY)(to_pixels(pixels))
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_a_code_takes_a_byte_and_no_matrix_is_stored(compressed, tower_graph):
    weights = sum(product.coded.codes.size * 4 for product in compressed.products.values())
    sizes = {value.name: len(value.raw_data) for value in onnx.load(tower_graph).graph.initializer}
    codes = sum(
        size for name, size in sizes.items() if name.startswith("product_") and name.endswith(".codes")
    )
    assert codes == weights / 4
    assert tower_graph.stat().st_size < 0.75 * weights + sum(sizes.values()) - codes


def test_products_are_of_integers_once_the_graph_is_loaded(tower_graph, tmp_path):
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "loaded.onnx")
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(tower_graph), options, providers=["CPUExecutionProvider"])
    found = Counter(node.op_type for node in onnx.load(tmp_path / "loaded.onnx").graph.node)
    assert found["MatMulIntegerToFloat"] == len(MATRICES) * TINY.blocks
    assert found["MatMul"] == 2 * TINY.blocks  # scores, and values weighted by them
    assert found["Gather"] == 0


def test_batches_give_the_same_statistics(tower_graph, pixels, statistics):
    session = open_session(tower_graph)
    alone = np.concatenate([session.run(None, {"image": image[None]})[0] for image in pixels])
    np.testing.assert_allclose(alone, statistics, atol=1e-5, rtol=0)
    turned = session.run(None, {"image": pixels[::-1]})[0]
    np.testing.assert_allclose(turned[::-1], statistics, atol=1e-5, rtol=0)


def test_scorer_declares_its_inputs_and_outputs(scorer_graph):
    graph = onnx.load(scorer_graph).graph
    assert {value.name: dims(value)[1:] for value in graph.input} == {
        "image": [32, 32, 3],
        "ids": [CONTEXT],
    }
    assert {value.name: dims(value)[1:] for value in graph.output} == {
        "quality": [2],
        "alignment": [2],
        "foreignness": [1],
    }
    assert not scorer_graph.with_suffix(".heads.onnx").exists()


@pytest.mark.parametrize("prompt", PROMPTS, ids=["plain", "empty", "long words", "other script", "too long"])
def test_scorer_equals_the_heads(scorer_graph, heads, words, pixels, statistics, prompt):
    session = open_session(scorer_graph)
    ids = ids_of((prompt,) * len(pixels), words)
    found = dict(
        zip(
            ("quality", "alignment", "foreignness"),
            session.run(["quality", "alignment", "foreignness"], {"image": pixels, "ids": ids}),
            strict=True,
        )
    )
    response, vectors = heads.respond(statistics), words.vectors(np.array([prompt] * len(pixels)))
    expected = {
        "quality": heads.quality(response),
        "alignment": heads.alignment(response, vectors),
        "foreignness": heads.foreignness(statistics)[:, None],
    }
    for name, values in expected.items():
        assert np.ptp(values[:, 0]) > 0.05, name  # pictures differ, so agreement says something
        np.testing.assert_allclose(found[name], values, atol=2e-3, rtol=0, err_msg=name)


def test_prompt_moves_alignment_and_nothing_else(scorer_graph, words, pixels):
    session = open_session(scorer_graph)
    runs = [
        dict(
            zip(
                ("quality", "alignment", "foreignness"),
                session.run(
                    ["quality", "alignment", "foreignness"], {"image": pixels[:1], "ids": ids_of((p,), words)}
                ),
                strict=True,
            )
        )
        for p in PROMPTS[:3]
    ]
    for other in runs[1:]:
        np.testing.assert_array_equal(other["quality"], runs[0]["quality"])
        np.testing.assert_array_equal(other["foreignness"], runs[0]["foreignness"])
        assert abs(other["alignment"][0, 0] - runs[0]["alignment"][0, 0]) > 0.01


def test_images_of_a_batch_do_not_influence_each_other(scorer_graph, words, pixels):
    session, ids = open_session(scorer_graph), ids_of(PROMPTS, words)
    together = session.run(None, {"image": pixels, "ids": ids})
    for row in range(len(pixels)):
        alone = session.run(None, {"image": pixels[row : row + 1], "ids": ids[row : row + 1]})
        for one, all_of_them in zip(alone, together, strict=True):
            np.testing.assert_allclose(one[0], all_of_them[row], atol=1e-5, rtol=0)
