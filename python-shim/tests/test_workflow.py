"""The workflow that goes along with a request, and the prompt that comes back."""

import pytest
import torch
from fake_daemon import error, result
from helpers import gate, greys
from test_arrangement import Dynamic, node


def workflow(**more):
    return Dynamic(
        {
            "1": node("Loader", ckpt_name="x"),
            "4": node("Encode", text="a cat", clip=["1", 1]),
            "5": node("Sampler", positive=["4", 0], seed=2**64 - 1),
            "7": node("AssayGate", images=["5", 0]),
            "9": node("Save", images=["7", 0]),
            **more,
        }
    )


def test_without_a_prompt_the_way_to_the_node_is_sent(daemon, nodes):
    gate(nodes, greys(0.5), dynprompt=workflow())
    (message,) = daemon.ops("score")
    sent = message["workflow"]
    assert (sent["node"], sent["input"], {*sent["graph"]}) == ("7", "images", {"1", "4", "5", "7"})
    assert sent["graph"]["4"] == {"class_type": "Encode", "inputs": {"text": "a cat", "clip": ["1", 1]}}
    assert all("prompt" not in item for item in message["items"])


def test_with_prompts_it_is_not_sent(daemon, nodes):
    gate(nodes, greys(0.5), dynprompt=workflow(), prompt="a cat")
    assert "workflow" not in daemon.ops("score")[0]


def test_an_image_without_a_prompt_among_others(daemon, nodes):
    gate(nodes, greys(0.5, 0.6), dynprompt=workflow(), prompt=["a cat", " "])
    assert [item.get("prompt") for item in daemon.sent()] == ["a cat", None]
    assert all("workflow" in message for message in daemon.ops("score"))


def test_what_is_large_stays_here(daemon, nodes):
    odd = node("Odd", file="x" * 70_000, points=[0.5] * 5000, tensor=torch.rand(4), nan=float("nan"), deep=[[[[1]]]])
    gate(nodes, greys(0.5), dynprompt=workflow(odd=odd, **{"5": node("Sampler", positive=["4", 0], odd=["odd", 0])}))
    inputs = daemon.ops("score")[0]["workflow"]["graph"]["odd"]["inputs"]
    assert [inputs[name] for name in ("file", "points", "tensor", "deep")] == [None, None, None, [[[[1]]]]]


def test_a_workflow_of_many_long_texts_is_sent_without_them_or_not_at_all(daemon, nodes):
    def texts(count, length):
        made = {f"t{i}": node("Text", text="x" * length) for i in range(count)}
        joined = node("Join", **{name: [name, 0] for name in made})
        return workflow(**made, j=joined, **{"5": node("Sampler", positive=["4", 0], other=["j", 0])})

    gate(nodes, greys(0.5), dynprompt=texts(60, 50_000))
    assert daemon.ops("score")[0]["workflow"]["graph"]["4"]["inputs"]["text"] == "a cat"
    gate(nodes, greys(0.5), dynprompt=texts(10_000, 500))
    assert "workflow" not in daemon.ops("score")[1]


def test_nodes_made_during_the_run_are_found(daemon, nodes):
    made = workflow(**{"7": node("AssayGate", images=["3.0.0.2", 0]), "3.0.0.2": node("Inner", image=["5", 0])})
    gate(nodes, greys(0.5), dynprompt=made)
    assert {*daemon.ops("score")[0]["workflow"]["graph"]} == {"1", "4", "5", "7", "3.0.0.2"}


def found(words, **source):
    whole = {"from": "workflow node 4 (Encode)", "original": None, "certain": True, "reason": None, **source}

    def answer(message):
        results = [{**result(item, None), "prompt": words, "promptSource": whole} for item in message["items"]]
        return {"ok": True, "results": results}

    return answer


PLACE = " – from workflow node 4 (Encode)"


@pytest.mark.parametrize(
    ("words", "source", "said"),
    [
        ("a cat", {}, f"prompt: a cat{PLACE}"),
        ("a cat", {"from": "request"}, "prompt: a cat"),
        (
            "a cat",
            {"certain": False, "reason": "two texts"},
            f"prompt (uncertain): a cat{PLACE} – two texts",
        ),
        (None, {"from": None, "reason": "no sampler leads here"}, "no prompt: no sampler leads here"),
        ("x" * 300, {}, f"prompt: {'x' * 200}…{PLACE}"),
    ],
)
def test_the_prompt_and_where_it_is_from_stand_on_the_node(daemon, nodes, words, source, said):
    daemon.answer = found(words, **source)
    answer = gate(nodes, greys(0.5, 0.6))
    assert answer["result"][3].splitlines()[-1] == answer["ui"]["text"][-1] == said


def test_the_prompt_that_was_found_goes_on_as_it_was_written(daemon, nodes):
    daemon.answer = found("a cat", original="a (cat:1.2)")
    assert gate(nodes, greys(0.5), compact=True)["result"][6] == ["a (cat:1.2)"]


NOTES = ["cut to 77 tokens", "prompt: said in a line of its own"]


def test_notes_of_the_daemon_stand_on_the_node(daemon, nodes):
    daemon.answer = lambda m: {"ok": True, "results": [{**result(m["items"][0], None), "notes": NOTES}]}
    assert gate(nodes, greys(0.5))["result"][3].endswith("reward 0.50 – note: cut to 77 tokens")


def ask(nodes, override="", dynprompt=None, node_id="7"):
    inputs = {"override": [override], "unique_id": [node_id], "dynprompt": [dynprompt or workflow()]}
    return nodes.AssayPrompt().run(image=[["5", 0]], **inputs)


def test_the_prompt_node_asks_the_daemon(daemon, nodes, host):
    daemon.prompt = {"prompt": "a cat", "from": "workflow node 4 (Encode)", "certain": True, "reason": None}
    assert ask(nodes)["result"] == (["a cat"],)
    assert daemon.asked[0]["workflow"]["input"] == "image"
    assert host.texts[-1][0] == "prompt from workflow node 4 (Encode)\na cat"
    daemon.prompt = {**daemon.prompt, "certain": False, "reason": "two texts"}
    ask(nodes)
    assert host.texts[-1][0] == "prompt (uncertain) from workflow node 4 (Encode) – two texts\na cat"
    assert ask(nodes, override="my words")["result"] == (["my words"],)
    assert ask(nodes, override="  ")["result"] == (["a cat"],)


def test_the_prompt_node_says_why_there_is_none(daemon, nodes, host, connect):
    daemon.prompt = {"prompt": None, "from": None, "certain": True, "reason": "lines are drawn at random"}
    assert ask(nodes)["result"] == ([""],)
    assert host.texts[-1][0] == "no prompt: lines are drawn at random"
    before = nodes.AssayPrompt.IS_CHANGED()
    connect("http://127.0.0.1:1")
    assert ask(nodes)["result"] == ([""],)
    assert "DAEMON_UNREACHABLE" in host.texts[-1][0]
    assert nodes.AssayPrompt.IS_CHANGED() != before  # asked again


def test_a_failure_of_the_image_itself_is_no_reason_to_run_again(daemon, nodes):
    before = nodes.AssayBest.IS_CHANGED(scorer=[""])
    gate(nodes, [torch.rand(1, 8, 8, 2)])
    assert nodes.AssayBest.IS_CHANGED(scorer=[""]) == before
    daemon.answer = lambda _message: error("INTERNAL")
    gate(nodes, greys(0.5))
    assert nodes.AssayBest.IS_CHANGED(scorer=[""]) != before
