from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from acl_iqa.acl_iqa_world import SMALL, SMALLEST, inputs, random_net
from assay_training.acl_iqa.export import example_ids, export_graphs, export_score
from assay_training.acl_iqa.text_graphs import GradesGraph, InstructionGraph
from assay_training.scorer import open_session


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """A net of two paths and its graphs."""
    folder = tmp_path_factory.mktemp("two")
    net = random_net(folder, SMALL)
    return net, export_graphs(net, folder)


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """A net of one path and its last graph; the texts are encoded as for two."""
    folder = tmp_path_factory.mktemp("one")
    net = random_net(folder, SMALLEST)
    export_score(net, folder / "score.onnx")
    return net, {"score": folder / "score.onnx"}


@pytest.fixture(params=["two", "one"])
def exported(request):
    return request.getfixturevalue(request.param)


def run(path: Path, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    session = open_session(path)
    names = [entry.name for entry in session.get_outputs()]
    assert {entry.name for entry in session.get_inputs()} == feeds.keys()
    return dict(zip(names, session.run(names, feeds), strict=True))


def chained(net, paths, given) -> np.ndarray:
    """The graphs one after another, as the daemon runs them."""
    if "grades" in paths:
        feeds = run(paths["grades"], {"ids": given["grades"].numpy()})
        feeds |= run(paths["instruction"], {"ids": given["instructions"].numpy()})
    else:
        with torch.no_grad():
            keys, values = InstructionGraph(net)(given["instructions"])
            grades = GradesGraph(net)(given["grades"])
        feeds = {"grades": grades.numpy(), "gate_keys": keys.numpy(), "gate_values": values.numpy()}
    feeds |= {"windows": given["windows"].numpy(), "whole": given["whole"].numpy()}
    return run(paths["score"], feeds)["quality"]


@pytest.mark.parametrize(("images", "windows"), [(1, 1), (1, 3), (3, 1), (3, 3)])
def test_chained_graphs_equal_the_plain_net(exported, images, windows):
    net, paths = exported
    given = inputs(net.config, images, windows, seed=images + windows)
    with torch.no_grad():
        expected = net(**given).numpy()
    np.testing.assert_allclose(chained(net, paths, given), expected, rtol=0, atol=1e-4 * expected.max())


def test_grades_of_all_prompts_are_part_of_the_score(tmp_path):
    net = random_net(tmp_path, SMALL)
    given = inputs(SMALL, 2, 3)
    given["grades"][1] = given["grades"][0]
    paths = export_graphs(net, tmp_path, given["grades"][:1])
    assert sorted(paths) == ["instruction", "score"]
    feeds = run(paths["instruction"], {"ids": given["instructions"].numpy()})
    feeds |= {name: given[name].numpy() for name in ("windows", "whole")}
    with torch.no_grad():
        expected = net(**given).numpy()
    np.testing.assert_allclose(run(paths["score"], feeds)["quality"], expected, atol=1e-4 * expected.max())


def test_score_does_not_depend_on_who_shares_the_batch(exported):
    net, paths = exported
    given = inputs(net.config, 3, 2)
    alone = {name: value[1:2] for name, value in given.items()}
    np.testing.assert_allclose(chained(net, paths, alone), chained(net, paths, given)[1:2], rtol=0, atol=1e-5)


def test_layout_is_the_documented_one(two):
    net, paths = two
    config, clip = net.config, net.config.clip
    session = open_session(paths["instruction"])
    ids = example_ids(config, len(config.paths)).numpy()
    keys, values = session.run(["gate_keys", "gate_values"], {"ids": ids})
    blocks, size = len(config.moe_blocks), clip.width // clip.heads
    assert keys.shape == (1, len(config.paths), blocks, clip.heads, size, clip.context)
    assert values.shape == (1, len(config.paths), blocks, clip.heads, clip.context, 6)
    inputs = {entry.name: (entry.type, entry.shape) for entry in open_session(paths["score"]).get_inputs()}
    assert inputs["windows"] == ("tensor(uint8)", ["n", "windows", clip.side, clip.side, 3])
    assert inputs["whole"] == ("tensor(float)", ["n", clip.side, clip.side, 3])


def test_weights_are_stored_once(exported):
    _, paths = exported
    seen = {}
    for tensor in onnx.load(paths["score"]).graph.initializer:
        if np.prod(tensor.dims) > 64:
            assert seen.setdefault(tensor.raw_data, tensor.name) == tensor.name
