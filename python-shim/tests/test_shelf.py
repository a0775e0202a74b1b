"""The best over many runs: what is kept, handed on, held back and said."""

import json

import pytest
import torch
from fake_daemon import error, result
from helpers import greys, shape_of
from test_arrangement import Dynamic, node

NAMES = ("images", "masks", "latents", "prompts", "scores", "seeds", "added", "report")
SHELF = {"by": "reward", "k": 1, "after": 0, "reset": False, "on_failure": "pass", "name": "foxes", "unique_id": "7"}


def put(nodes, images, *, prompt=(" ",), scorer=("",), masks=None, latents=None, dynprompt=None, **changes):
    """Runs the node the way the host does; its outputs by name."""
    given = {key: [value] for key, value in {**SHELF, **changes}.items()}
    along = {"prompt": list(prompt), "scorer": list(scorer), "masks": masks, "latents": latents}
    batches = images if isinstance(images, list) else [images]
    answer = nodes.AssayShelf().run(batches, **given, **along, dynprompt=[dynprompt])
    return {**dict(zip(NAMES, answer["result"], strict=True)), "ui": answer["ui"]}


def changed(nodes, **changes):
    given = {key: [value] for key, value in {"scorer": "", **SHELF, **changes}.items()}
    return nodes.AssayShelf.IS_CHANGED(**given)


def folder(tmp_path):
    (found,) = (tmp_path / "user" / "__assay" / "shelves").iterdir()
    return found


def state(tmp_path):
    return json.loads((folder(tmp_path) / "shelf.json").read_text("utf-8"))


def test_the_best_so_far_goes_on_in_every_run(daemon, nodes):
    runs = [put(nodes, greys(share)) for share in (0.3, 0.8, 0.5)]
    assert [shape_of(run["images"]) for run in runs] == [[0.3], [0.8], [0.8]]
    assert [shape_of(run["scores"]) for run in runs] == [[0.3], [0.8], [0.8]]
    assert [shape_of(run["added"]) for run in runs] == [[0.3], [0.8], [None]]
    assert runs[2]["report"].splitlines()[:2] == [
        "1 image: 0 came onto the shelf",
        "shelf foxes: the best 1 of 3 by reward",
    ]
    assert "this run #0 not better: " in runs[2]["report"]
    assert [verdict["label"] for verdict in runs[2]["ui"]["assay"]] == ["best 1"]


def test_the_best_k_of_batches_of_different_sizes(daemon, nodes):
    put(nodes, [greys(0.2, 0.9), greys(0.5, size=4)], k=3)
    run = put(nodes, greys(0.6, size=16, channels=4), k=3)
    assert [tuple(image.shape) for image in run["images"]] == [(1, 8, 8, 3), (1, 16, 16, 4), (1, 4, 4, 3)]
    assert shape_of(run["scores"]) == [0.9, 0.6, 0.5]


def test_what_belongs_to_an_image_stays_with_it_number_for_number(daemon, nodes):
    torch.manual_seed(0)
    image = torch.rand(1, 8, 8, 3, dtype=torch.float16)
    mask, samples = torch.rand(1, 8, 8), torch.rand(1, 4, 1, 1)
    latent = {"samples": samples, "noise_mask": mask[None], "batch_index": [5], "type": "x", "odd": object()}
    first = put(nodes, image, masks=[mask], latents=[latent], prompt=["a fox"], k=2)
    assert "of the latent of #0 a shelf cannot keep odd" in first["report"]
    run = put(nodes, greys(0.1), k=2)
    assert torch.equal(run["images"][0], image)
    assert torch.equal(run["masks"][0], mask)
    kept = run["latents"][0]
    assert torch.equal(kept["samples"], samples)
    assert torch.equal(kept["noise_mask"], mask[None])
    assert (kept["batch_index"], kept["type"]) == ([5], "x")
    assert run["prompts"] == ["a fox", ""]
    assert shape_of(run["masks"])[1] is None  # it came without one
    assert hasattr(run["latents"][1], "message")


def test_a_picture_counts_once(daemon, nodes, tmp_path):
    put(nodes, greys(0.5, 0.5), k=4)
    before = state(tmp_path)
    run = put(nodes, greys(0.5), k=4)
    assert shape_of(run["images"]) == [0.5]
    assert run["report"].splitlines()[1] == "shelf foxes: the best 1 of 4 wanted of 1 by reward"
    assert "nothing new came: let the seed change" in run["report"]
    assert state(tmp_path) == before


def test_equals_keep_their_order(daemon, nodes):
    put(nodes, greys(0.5))
    assert shape_of(put(nodes, greys(0.5, size=4))["added"]) == [None]


def test_held_back_until_so_many_were_judged_and_then_anew(daemon, nodes):
    runs = [put(nodes, greys(*shares), after=4) for shares in ((0.3, 0.8), (0.8,), (0.1, 0.2), (0.4,))]
    assert [shape_of(run["images"]) for run in runs] == [[None], [None], [0.8], [None]]
    assert "held back until 4 were judged" in runs[1]["report"]
    assert "handed on; the next run begins anew" in runs[2]["report"]
    assert runs[3]["report"].splitlines()[1] == "shelf foxes: the best 1 of 1 by reward, held back until 4 were judged"


def test_reset_empties_it_first(daemon, nodes):
    put(nodes, greys(0.9))
    run = put(nodes, greys(0.2), reset=True)
    assert shape_of(run["images"]) == [0.2]
    assert "reset is on" in run["report"]
    assert shape_of(put(nodes, greys(0.1))["images"]) == [0.2]


def test_shelves_by_name(daemon, nodes, tmp_path):
    put(nodes, greys(0.9))
    assert shape_of(put(nodes, greys(0.2), name="Foxes")["images"]) == [0.2]
    assert shape_of(put(nodes, greys(0.3), name="../../etc")["images"]) == [0.3]
    put(nodes, greys(0.4), name=" ")
    assert shape_of(put(nodes, greys(0.1), name="")["images"]) == [0.4]
    names = sorted(path.name.rsplit("-", 1)[0] for path in (tmp_path / "user" / "__assay" / "shelves").iterdir())
    assert names == ["etc", "foxes", "foxes", "shelf"]


def test_two_nodes_of_one_name_share_it_and_say_where_they_disagree(daemon, nodes):
    graph = {
        "7": node("AssayShelf", **{key: SHELF[key] for key in ("by", "k", "after", "name")}),
        "8": node("AssayShelf", **{**{key: SHELF[key] for key in ("by", "k", "after", "name")}, "k": 2}),
    }
    put(nodes, greys(0.5), k=2, unique_id="8", dynprompt=Dynamic(graph))
    run = put(nodes, greys(0.6), dynprompt=Dynamic(graph))
    assert shape_of(run["images"]) == [0.6]
    assert "node 8 uses the same shelf with another by, k or after" in run["report"]
    assert "uses the same" not in put(nodes, greys(0.7), dynprompt=Dynamic({"7": graph["7"]}))["report"]


def test_a_smaller_k_says_how_many_left(daemon, nodes, tmp_path):
    put(nodes, greys(0.5, 0.6, 0.7), k=3)
    assert "2 left the shelf, as k is 1 now" in put(nodes, greys(0.1))["report"]
    assert len([*folder(tmp_path).glob("*.safetensors")]) == 1


def test_files_of_what_left_are_gone(daemon, nodes, tmp_path):
    for share in (0.1, 0.5, 0.3, 0.9):
        put(nodes, greys(share), k=2)
    assert {file.stem for file in folder(tmp_path).glob("*.safetensors")} == {c["id"] for c in state(tmp_path)["cards"]}


def test_an_image_without_a_score_is_never_kept(daemon, nodes):
    run = put(nodes, greys(0.0, 0.3), k=2)
    assert shape_of(run["images"]) == [0.3]
    assert "this run #0 not ranked: quality 0.00 (0%) – too dark" in run["report"]


@pytest.mark.parametrize(("rule", "images"), [("pass", [0.4, 0.6]), ("block", [None])])
def test_without_a_daemon_and_nothing_on_the_shelf(daemon, nodes, rule, images):
    daemon.answer = lambda _message: error("INTERNAL")
    run = put(nodes, greys(0.4, 0.6), on_failure=rule)
    assert shape_of(run["images"]) == images
    assert [shape_of(run[name]) for name in ("scores", "seeds", "added")] == [[None]] * 3
    assert "INTERNAL" in run["report"]


def test_without_a_daemon_the_best_so_far_goes_on_and_nothing_is_lost(daemon, nodes):
    put(nodes, greys(0.4))
    daemon.answer = lambda _message: error("INTERNAL")
    assert shape_of(put(nodes, greys(0.9))["images"]) == [0.4]
    daemon.answer = daemon.scores
    assert shape_of(put(nodes, greys(0.9))["images"]) == [0.9]  # it was not judged before


def test_without_a_daemon_it_can_stop(daemon, nodes):
    daemon.answer = lambda _message: error("INTERNAL")
    with pytest.raises(Exception, match="INTERNAL"):
        put(nodes, greys(0.9), on_failure="stop")


def test_a_number_that_the_kept_images_lack_throws_nothing_away(daemon, nodes):
    put(nodes, greys(0.9))
    with pytest.raises(ValueError, match=r"1 of 1 images on the shelf foxes have no alignment"):
        put(nodes, greys(0.2), by="alignment")
    assert shape_of(put(nodes, greys(0.1))["images"]) == [0.9]


def test_another_scorer_judges_what_is_kept_once_more(daemon, nodes):
    put(nodes, greys(0.9, 0.6), k=2, prompt=["a fox"])

    def inverse(message):
        results = [result(item, None) for item in message["items"]]
        other = {"id": "other", "version": "1", "weights": "w", "calibration": "c"}
        return {"ok": True, "results": [{**r, "scorer": other, "reward": 1 - r["reward"]} for r in results]}

    daemon.answer = inverse
    run = put(nodes, greys(0.8), k=2)
    assert shape_of(run["images"]) == [0.6, 0.8]
    assert "2 on the shelf had the figures of another scorer and were scored again" in run["report"]
    assert [item.get("prompt") for item in daemon.sent()[-2:]] == ["a fox", "a fox"]
    assert "scored again" not in put(nodes, greys(0.7), k=2)["report"]


def test_another_scorer_that_has_no_score_for_what_is_kept_throws_nothing_away(daemon, nodes):
    put(nodes, greys(0.9, 0.6), k=2)
    usual = daemon.answer

    def guarded(message):
        results = [result(item, None) for item in message["items"]]
        other = {"id": "other", "version": "1", "weights": "w", "calibration": "c"}
        found = {"scorer": other, "reward": None, "guards": [{"guard": "out-of-domain", "message": "strange"}]}
        return {"ok": True, "results": [{**r, **found} for r in results]}

    daemon.answer = guarded
    with pytest.raises(ValueError, match=r"2 of 2 images on the shelf foxes have no .*earlier scorer"):
        put(nodes, greys(0.8), k=2)
    daemon.answer = usual
    assert shape_of(put(nodes, greys(0.1), k=2)["images"]) == [0.9, 0.6]


def sampled(**inputs):
    return Dynamic(
        {
            "3": node("Sampler", steps=20, **inputs),
            "4": node("Decode", samples=["3", 0]),
            "5": node("Primitive", value=9),
            "6": node("Masks", seed=1),
            "7": node("AssayShelf", images=["4", 0], masks=["6", 0]),
        }
    )


@pytest.mark.parametrize(
    ("inputs", "seeds", "said"),
    [
        ({"seed": 2**60 + 1}, [2**60 + 1], f"seed {2**60 + 1}, #0 of its run"),
        ({"noise_seed": ["5", 0]}, [9], "seed 9, #0 of its run"),
        ({"seed": 1, "noise_seed": 2}, [None], "seeds 3.seed 1, 3.noise_seed 2, #0 of its run"),
        ({"seed": -1}, [None], "– #0 of its run"),
        ({"seed": True}, [None], "– #0 of its run"),
        ({}, [None], "– #0 of its run"),
    ],
)
def test_the_seed_that_made_it(daemon, nodes, inputs, seeds, said):
    run = put(nodes, greys(0.5), dynprompt=sampled(**inputs))
    assert [None if hasattr(seed, "message") else seed for seed in run["seeds"]] == seeds
    assert said in run["report"]


def test_the_host_may_reuse_a_result_until_somebody_else_changes_the_shelf(daemon, nodes):
    first = changed(nodes)
    put(nodes, greys(0.5))
    assert changed(nodes) == first
    put(nodes, greys(0.6), unique_id="8")
    second = changed(nodes)
    assert second != first
    put(nodes, greys(0.5))
    assert changed(nodes) == second
    assert changed(nodes, name=None).count(" ") == 0


def test_a_damaged_shelf_is_named_and_reset_begins_anew(daemon, nodes, tmp_path):
    put(nodes, greys(0.5))
    file = folder(tmp_path) / "shelf.json"
    for text in ("{", "[]", '{"version": 2, "cards": []}', '{"version": 1}'):
        file.write_text(text, "utf-8")
        with pytest.raises(Exception, match="SHELF_DAMAGED"):
            put(nodes, greys(0.6))
        assert file.read_text("utf-8") == text
    assert shape_of(put(nodes, greys(0.2), reset=True)["images"]) == [0.2]


def test_a_file_that_is_gone_costs_its_image_alone(daemon, nodes, tmp_path):
    put(nodes, greys(0.5, 0.6), k=2)
    best = state(tmp_path)["cards"][0]["id"]
    (folder(tmp_path) / f"{best}.safetensors").write_bytes(b"cut off")
    run = put(nodes, greys(0.1), k=3)
    assert shape_of(run["images"]) == [0.5, 0.1]
    assert "is gone or damaged" in run["report"]


@pytest.mark.parametrize("rule", ["pass", "stop"])
def test_a_disk_that_takes_nothing(daemon, nodes, part, monkeypatch, rule):
    put(nodes, greys(0.5))

    def full(*_given):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(part("shelf.goods").Goods, "save", full)
        if rule == "stop":
            with pytest.raises(Exception, match=r"No space left on device \[SHELF_UNWRITABLE\]"):
                put(nodes, greys(0.9), on_failure=rule)
        else:
            run = put(nodes, greys(0.9), on_failure=rule)
            assert shape_of(run["images"]) == [0.9]
            assert "Not kept: the shelf in" in run["report"]
    assert shape_of(put(nodes, greys(0.1))["images"]) == [0.5]


def test_it_is_bounded_in_bytes_and_in_names(daemon, nodes, part, monkeypatch):
    monkeypatch.setattr(part("shelf.visit"), "MOST_BYTES", 2 * 8 * 8 * 3 * 4)
    run = put(nodes, greys(0.3, 0.5, 0.4), k=3)
    assert shape_of(run["images"]) == [0.5, 0.4]
    assert "there is room for 2 of 3" in run["report"]
    monkeypatch.setattr(part("shelf.place"), "MOST_SHELVES", 1)
    with pytest.raises(Exception, match="SHELVES_FULL"):
        put(nodes, greys(0.5), name="another")
    assert changed(nodes, name="another").endswith("SHELVES_FULL")


def test_an_empty_list_changes_nothing(daemon, nodes):
    put(nodes, greys(0.5))
    run = put(nodes, [greys()])
    assert shape_of(run["images"]) == [0.5]
    assert run["report"].startswith("0 images (1 empty entry left out)\nshelf foxes: the best 1 of 1 by reward")


def test_widgets_take_one_value(daemon, nodes):
    with pytest.raises(ValueError, match="Assay Shelf: k takes one value"):
        nodes.AssayShelf().run([greys(0.5)], ["reward"], [1, 2], [0], [False], ["pass"])
