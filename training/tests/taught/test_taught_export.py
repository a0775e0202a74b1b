import numpy as np
import onnx
import pytest
import torch

from assay_training.scorer import open_session, token_ids
from assay_training.taught.export import FLOAT_BLOCKS, named_convolutions
from assay_training.taught.model import STATS, to_input
from assay_training.taught.words import CONTEXT, encode

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


@pytest.fixture(scope="module")
def statistics(int8, pixels) -> np.ndarray:
    return open_session(int8).run(None, {"image": pixels})[0]


def test_graph_takes_uint8_nhwc_and_only_the_batch_is_dynamic(fp32):
    model = onnx.load(fp32)
    (image,), (statistics,) = model.graph.input, model.graph.output
    assert (image.name, image.type.tensor_type.elem_type) == ("image", onnx.TensorProto.UINT8)
    assert (dims(image), dims(statistics)) == (["n", 320, 320, 3], ["n", STATS])
    assert statistics.name == "statistics"


def test_graph_equals_torch(net, fp32, pixels):
    with torch.inference_mode():
        expected = net(to_input(pixels)).numpy()
    found = open_session(fp32).run(None, {"image": pixels})[0]
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-5 * np.abs(expected).max())


def test_int8_is_smaller_close_and_within_seven_bits(net, fp32, int8, pixels, statistics):
    assert int8.stat().st_size < 0.35 * fp32.stat().st_size
    exact = open_session(fp32).run(None, {"image": pixels})[0]
    assert np.abs(statistics - exact).max() < 0.2 * np.abs(exact).max()
    assert np.corrcoef(statistics.ravel(), exact.ravel())[0, 1] > 0.99
    weights = [onnx.numpy_helper.to_array(value) for value in onnx.load(int8).graph.initializer]
    kernels = [value.astype(int) for value in weights if value.dtype == np.int8 and value.ndim == 4]
    first = {"stem", *(f"block{index}" for index in range(FLOAT_BLOCKS))}
    assert len(kernels) == sum(name.split(".")[0] not in first for name, _ in named_convolutions(net))
    matrices = [value for value in kernels if value.shape[2:] == (1, 1)]
    assert max(np.abs(value).max() for value in matrices) <= 64
    assert max(np.abs(value).max() for value in kernels) == 127


def test_scorer_declares_its_inputs_and_outputs(scorer_graph):
    graph = onnx.load(scorer_graph).graph
    assert {value.name: dims(value)[1:] for value in graph.input} == {
        "image": [320, 320, 3],
        "ids": [CONTEXT],
    }
    assert {value.name: dims(value)[1:] for value in graph.output} == {
        "quality": [2],
        "alignment": [2],
        "distance": [1],
    }
    assert not scorer_graph.with_suffix(".heads.onnx").exists()


@pytest.mark.parametrize("prompt", PROMPTS, ids=["plain", "empty", "long words", "other script", "too long"])
def test_scorer_equals_the_heads(scorer_graph, heads, words, pixels, statistics, prompt):
    session = open_session(scorer_graph)
    ids = ids_of((prompt,) * len(pixels), words)
    found = dict(
        zip(
            ("quality", "alignment", "distance"),
            session.run(["quality", "alignment", "distance"], {"image": pixels, "ids": ids}),
            strict=True,
        )
    )
    response, vectors = heads.respond(statistics), words.vectors(np.array([prompt] * len(pixels)))
    expected = {
        "quality": heads.quality(response),
        "alignment": heads.alignment(response, vectors),
        "distance": heads.distance(statistics)[:, None],
    }
    for name, values in expected.items():
        assert np.ptp(values[:, 0]) > 0.05, name  # pictures differ, so agreement says something
        np.testing.assert_allclose(found[name], values, atol=2e-3, rtol=0, err_msg=name)


def test_prompt_moves_alignment_and_nothing_else(scorer_graph, words, pixels):
    session = open_session(scorer_graph)
    runs = [
        dict(
            zip(
                ("quality", "alignment", "distance"),
                session.run(
                    ["quality", "alignment", "distance"], {"image": pixels[:1], "ids": ids_of((p,), words)}
                ),
                strict=True,
            )
        )
        for p in PROMPTS[:3]
    ]
    for other in runs[1:]:
        np.testing.assert_array_equal(other["quality"], runs[0]["quality"])
        np.testing.assert_array_equal(other["distance"], runs[0]["distance"])
        assert abs(other["alignment"][0, 0] - runs[0]["alignment"][0, 0]) > 0.01


def test_images_of_a_batch_do_not_influence_each_other(scorer_graph, words, pixels):
    session, ids = open_session(scorer_graph), ids_of(PROMPTS[:4], words)
    together = session.run(None, {"image": pixels, "ids": ids})
    for row in range(len(pixels)):
        alone = session.run(None, {"image": pixels[row : row + 1], "ids": ids[row : row + 1]})
        for one, all_of_them in zip(alone, together, strict=True):
            np.testing.assert_allclose(one[0], all_of_them[row], atol=1e-5, rtol=0)
