from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch

from assay_training.aapmt.checkpoint import load, random_checkpoint
from assay_training.aapmt.config import ASPECTS, TINY, Reading
from assay_training.aapmt.export import ScoreGraph, export_graphs
from assay_training.aapmt.metric import DeclaredMetricTransformer
from assay_training.onnx_export import export
from assay_training.scorer import open_session

# exporting takes time by the layer
SHALLOW = replace(TINY, vision=replace(TINY.vision, depth=1), text=replace(TINY.text, layers=1))
THREE, ONE = Reading(ASPECTS), Reading(("alignment",), normalised=True)


def checkpoint(folder, metric: bool):
    path = folder / "checkpoint.pt"
    random_checkpoint(SHALLOW, path, seed=3, metric_transformer=metric)
    return path


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """A Metric Transformer: its checkpoint, and sessions of both graphs."""
    folder = tmp_path_factory.mktemp("three")
    path = checkpoint(folder, metric=True)
    graphs = export_graphs(load(path, SHALLOW).model, SHALLOW, THREE, folder)
    return path, {name: open_session(graph) for name, graph in graphs.items()}


@pytest.fixture(scope="module")
def one(tmp_path_factory, three):
    """A reward with one text; the image graph is that of `three`, drawn from the same seed."""
    folder = tmp_path_factory.mktemp("one")
    path = checkpoint(folder, metric=False)
    model, graph = load(path, SHALLOW).model, folder / "score.onnx"
    ids = torch.full((1, 1, 35), 7)
    tokens = torch.zeros(1, 197, SHALLOW.vision.width)
    args = {"ids": ids, "mask": torch.ones_like(ids), "tokens": tokens}
    export(ScoreGraph(model, ONE), args, ["alignment"], graph)
    return path, three[1] | {"score": open_session(graph)}


def plain(path, images, ids, mask) -> np.ndarray:
    """[N, T]: features and heads one image and one text at a time, with the layers as they are stored."""
    loaded, found = load(path, SHALLOW), np.zeros(ids.shape[:2], np.float32)
    state, declared = torch.load(path), DeclaredMetricTransformer(SHALLOW).eval()
    if loaded.model.metric:
        prefix = "ImageAssessmentModel."
        state = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
        declared.load_state_dict(state)
    for n in range(len(ids)):
        tokens = loaded.model.tokens(images[n : n + 1])
        for t in range(ids.shape[1]):
            length = int(mask[n, t].sum())
            text = ids[n : n + 1, t : t + 1, :length]
            x = loaded.model.features(text, torch.ones_like(text), tokens)[0]
            if loaded.model.metric:
                found[n, t] = declared(x)[(1, 0, 2)[t]].item()
            else:
                found[n, t] = (loaded.model.mlp(x).item() - 0.16717362830052426) / 1.0333394966054072
    return found


def chained(sessions, images, ids, mask) -> np.ndarray:
    """[N, T] from both graphs."""
    tokens = sessions["image"].run(["tokens"], {"image": images.numpy()})[0]
    feeds = {"ids": ids.numpy(), "mask": mask.numpy(), "tokens": tokens}
    return np.concatenate(sessions["score"].run(None, feeds), 1)


@torch.no_grad()
@pytest.mark.parametrize("count", [1, 3])
def test_graphs_equal_the_plain_net_with_three_texts(three, images, texts, count):
    path, sessions = three
    batch = (images[:count], *(x[:count] for x in texts))
    wanted = plain(path, *batch)
    np.testing.assert_allclose(chained(sessions, *batch), wanted, rtol=1e-4, atol=1e-4)
    assert np.ptp(wanted, 1).min() > 0.01


@torch.no_grad()
@pytest.mark.parametrize("count", [1, 3])
def test_graphs_equal_the_plain_net_with_one_text(one, images, texts, count):
    path, sessions = one
    batch = (images[:count], *(x[:count, 1:2] for x in texts))
    wanted = plain(path, *batch)
    np.testing.assert_allclose(chained(sessions, *batch), wanted, rtol=1e-4, atol=1e-4)
    assert count == 1 or np.ptp(wanted) > 0.01


def test_inputs_and_outputs_are_the_daemons(three, one):
    def described(entries) -> dict:
        return {entry.name: (entry.type, entry.shape[1:]) for entry in entries}

    image, score = three[1]["image"], three[1]["score"]
    width = SHALLOW.vision.width
    assert described(image.get_inputs()) == {"image": ("tensor(uint8)", [224, 224, 3])}
    assert described(image.get_outputs()) == {"tokens": ("tensor(float)", [197, width])}
    texts = ("tensor(int64)", [3, 35])
    assert described(score.get_inputs()) == {
        "ids": texts,
        "mask": texts,
        "tokens": ("tensor(float)", [197, width]),
    }
    assert described(score.get_outputs()) == {name: ("tensor(float)", [1]) for name in ASPECTS}
    assert list(described(one[1]["score"].get_outputs())) == ["alignment"]
    for session in (image, score):
        assert all(isinstance(x.shape[0], str) for x in [*session.get_inputs(), *session.get_outputs()])


def test_graphs_hold_only_what_they_need(three):
    folder = three[0].parent
    held = {
        name: {value.name for value in onnx.load(folder / f"{name}.onnx").graph.initializer}
        for name in ("image", "score")
    }
    assert not any("text_encoder" in name for name in held["image"])
    assert not any("visual_encoder" in name or "wv_" in name for name in held["score"])
