"""The same workflows as the TypeScript side of Assay is tested with."""

import json
from pathlib import Path

import pytest

CASES = json.loads((Path(__file__).parents[2] / "test/fixtures/prompts.json").read_text("utf-8"))


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_prompt_is_found(part, case):
    prompt, reason = part("prompts").find_prompt(case["graph"].get, case["node"], "image")
    assert prompt == case["expected"]
    assert reason.startswith("no prompt") == (prompt == "")


@pytest.mark.parametrize("graph", [{}, {"9": None}, {"9": {"inputs": 5}}, {"9": {"inputs": {"image": ["8", "x"]}}}])
def test_broken_workflows_give_a_reason(part, graph):
    assert part("prompts").find_prompt(graph.get, "9", "image") == ("", "no prompt: nothing is connected to image")


class Graph:
    """Stands in for the host's DynamicPrompt."""

    def __init__(self, nodes):
        self._nodes = nodes

    def has_node(self, node_id):
        return node_id in self._nodes

    def get_node(self, node_id):
        return self._nodes[node_id]


def test_node_takes_the_override_first(host, nodes):
    graph = Graph(CASES[0]["graph"])
    node = nodes.AssayPrompt()
    assert node.run(None, "", "9", graph)["result"] == (CASES[0]["expected"],)
    assert node.run(None, "my words", "9", graph)["result"] == ("my words",)
    assert node.run(None, "  ", "9", graph)["result"] == (CASES[0]["expected"],)
    assert node.run(None, "", "nowhere", graph)["result"] == ("",)
    assert host.texts[-1] == ("no prompt: nothing is connected to image", "nowhere", "page")
