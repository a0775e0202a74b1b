"""The form in which images leave a gate, by what stands behind it."""

import sys
from types import SimpleNamespace

import pytest
import torch
from helpers import GATE, greys, shape_of

MAPPED = SimpleNamespace(INPUT_IS_LIST=False)
CLASSES = {
    "Whole": SimpleNamespace(INPUT_IS_LIST=True),
    "Listed": SimpleNamespace(INPUT_IS_LIST=True, OUTPUT_IS_LIST=(False, True)),
}


class Dynamic:
    """Stands in for the host's DynamicPrompt."""

    def __init__(self, graph, parents=None):
        self.graph = graph
        self.parents = parents or {}

    def has_node(self, node_id):
        return node_id in self.graph

    def get_node(self, node_id):
        return self.graph[node_id]

    def all_node_ids(self):
        return set(self.graph)

    def get_parent_node_id(self, node_id):
        return self.parents.get(node_id)


def node(kind, **inputs):
    return {"class_type": kind, "inputs": inputs}


def graph(**behind):
    return {"in": node("Batch"), "7": node("AssayGate", images=["in", 0]), **behind}


@pytest.fixture
def classes(host, nodes):
    sys.modules["nodes"].NODE_CLASS_MAPPINGS.update({**vars(nodes), **CLASSES})


def run(nodes, dynprompt, images, **inputs):
    given = {name: [value] for name, value in {**GATE, "unique_id": "7", **inputs}.items()}
    return nodes.AssayGate().run(images, **given, dynprompt=[dynprompt])["result"]


BEHIND = {
    "nothing": {},
    "saved": {"8": node("Save", images=["7", 0])},
    "best": {"8": node("Whole", images=["7", 0])},
    "enlarged, then best": {"8": node("Enlarge", image=["7", 0]), "9": node("Whole", images=["8", 0])},
    "joined with a batch": {"8": node("Join", image1=["7", 0], image2=["in", 0])},
    "joined with its own other branch": {"8": node("Join", image1=["7", 0], image2=["7", 1])},
    "joined with another gate": {
        "g": node("AssayGate", images=["in", 0]),
        "8": node("Join", image1=["7", 0], image2=["g", 0]),
    },
    "with its masks": {"8": node("Join", image=["7", 0], mask=["7", 4], latent=["7", 5])},
    "with one value of a node that takes lists": {
        "c": node("Listed", images=["in", 0]),
        "8": node("Join", image=["7", 0], x=["c", 0]),
    },
    "in a loop": {"8": node("Join", image=["9", 0], other=["7", 0]), "9": node("Join", image=["8", 0])},
}


@pytest.mark.parametrize("behind", BEHIND.values(), ids=BEHIND)
def test_a_batch_goes_on_as_a_smaller_batch(daemon, nodes, classes, behind):
    accepted, rejected, unsure, *_ = run(nodes, Dynamic(graph(**behind)), [greys(0.2, 0.8, 0.6)])
    assert [tuple(batch.shape) for batch in accepted] == [(2, 8, 8, 3)]
    assert accepted[0].mean(dim=(1, 2, 3)).tolist() == pytest.approx([0.8, 0.6])
    assert shape_of(rejected) == [0.2]
    assert shape_of(unsure) == [None]


def test_several_batches_stay_apart_and_whole_ones_are_not_copied(daemon, nodes, classes):
    batches = [greys(0.8, 0.9), greys(0.1, 0.7, size=4), greys(0.2), None, torch.rand(0, 8, 8, 3)]
    latents = [{"samples": torch.arange(5.0)[:, None, None, None], "noise_mask": torch.ones(5, 1, 2, 2)}]
    outputs = run(nodes, Dynamic(graph()), batches, latents=latents[0], masks=torch.zeros(5, 8, 8))
    assert outputs[0][0] is batches[0]
    assert [tuple(batch.shape) for batch in outputs[0]] == [(2, 8, 8, 3), (1, 4, 4, 3)]
    assert [tuple(mask.shape) for mask in outputs[4]] == [(2, 8, 8), (1, 8, 8)]
    assert [(latent["samples"].flatten().tolist(), latent["batch_index"]) for latent in outputs[5]] == [
        ([0.0, 1.0], [0, 1]),
        ([3.0], [3]),
    ]
    assert tuple(outputs[5][0]["noise_mask"].shape) == (2, 1, 2, 2)
    assert outputs[7] == [0, 1, 3]
    assert "(2 empty entries left out)" in outputs[3]


def test_masks_of_different_sizes_go_one_by_one(daemon, nodes, classes):
    given = {"images": [greys(0.8, 0.9)], **{name: [value] for name, value in GATE.items()}}
    outputs = nodes.AssayGate().run(
        **given, masks=[torch.ones(1, 4, 4), torch.zeros(1, 8, 8)], unique_id=["7"], dynprompt=[Dynamic(graph())]
    )["result"]
    assert [len(image) for image in outputs[0]] == [1, 1]
    assert [tuple(mask.shape) for mask in outputs[4]] == [(1, 4, 4), (1, 8, 8)]


@pytest.mark.parametrize("output", [6, 7], ids=["prompts", "indexes"])
def test_with_its_own_list_images_go_one_by_one(daemon, nodes, classes, output):
    behind = {"t": node("Format", value=["7", output]), "8": node("Save", images=["7", 0], name=["t", 0])}
    outputs = run(nodes, Dynamic(graph(**behind)), [greys(0.2, 0.8, 0.6)])
    assert shape_of(outputs[0]) == [0.8, 0.6]
    assert outputs[7] == [1, 2]


def test_with_another_list_each_keeps_its_place(daemon, nodes, classes):
    behind = {"l": node("Listed", images=["in", 0]), "8": node("Save", images=["7", 0], name=["l", 1])}
    outputs = run(nodes, Dynamic(graph(**behind)), [greys(0.2, 0.8, 0.6)])
    assert shape_of(outputs[0]) == [None, 0.8, 0.6]
    assert shape_of(outputs[7]) == [None, 1, 2]
    assert "does not run" not in outputs[3]
    assert tuple(outputs[1][0].shape) == (1, 8, 8, 3)


def test_gaps_that_keep_a_node_from_running_are_told(daemon, nodes, classes):
    behind = {
        "l": node("Listed", images=["in", 0]),
        "8": node("Name", images=["7", 0], name=["l", 1]),
        "9": node("Whole", images=["8", 0]),
    }
    report = run(nodes, Dynamic(graph(**behind)), [greys(0.2, 0.8)])[3]
    assert "Whole behind `accepted` does not run: another list meets the images there" in report
    assert shape_of(run(nodes, Dynamic(graph(**behind)), [greys(0.2, 0.8)], compact=True)[0]) == [0.8]


def test_a_gate_inside_a_node_that_was_expanded(daemon, nodes, classes):
    """What reads the outer node reads the gate."""
    dynamic = graph(outer=node("Outer"), l=node("Listed"), s=node("Save", images=["outer", 0], name=["l", 1]))
    outputs = run(nodes, Dynamic(dynamic, {"7": "outer"}), [greys(0.2, 0.8)])
    assert shape_of(outputs[0]) == [None, 0.8]


def test_another_workflow_behind_it_runs_it_again(daemon, nodes, classes, host):
    def changed(**behind):
        queue = [(0, "id", graph(**behind), {}, [])]
        host.prompt_queue = SimpleNamespace(get_current_queue_volatile=lambda: (queue, []))
        return nodes.AssayGate.IS_CHANGED(scorer=[""], unique_id=["7"])

    listed = {"l": node("Listed"), "8": node("Save", images=["7", 0], name=["l", 1])}
    assert changed() == changed(**BEHIND["saved"]) != changed(**listed)
