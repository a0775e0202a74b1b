"""What is made, saved and handed out when the images of a batch are judged."""

from __future__ import annotations

import json
from copy import copy
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from a1111_fixtures import loaded
from a1111_host import FamilyHost, Processing, seeds_in, shades_in
from PIL import Image


def told(processed) -> dict:
    return processed.js()["extra_generation_params"]["Assay"]


def labels(processed) -> list[str]:
    return [image["label"] for image in told(processed)["images"]]


def test_bad_images_are_kept_and_marked(judge, family):
    processed = judge(family, Processing(), threshold=0.35)
    assert seeds_in(processed) == list(range(100, 108)) == processed.all_seeds
    assert [("verdict: rejected" in text) for text in processed.infotexts] == [True] * 4 + [False] * 4
    assert "Assay quality: 2.49, Assay quality percentile: 0.50, Assay reward: 0.50" in processed.infotexts[5]
    assert len(family.saved) == 8
    assert labels(processed) == ["rejected"] * 4 + ["accepted"] * 4
    assert processed.comments.startswith("Assay: 8 images: 4 rejected, 4 accepted")


def test_the_text_of_a_grid_has_the_verdict_of_no_image(judge, family):
    family.has_grid = True
    # A preview of a batch is a grid of images that are not finished.
    preview = SimpleNamespace(imgs=[Image.new("RGB", (4, 4))])
    family.compose = lambda p, place, image: family.before_grid(preview) or image
    processed = judge(family, Processing(batch_size=2))
    assert ["Assay verdict" in text for text in processed.infotexts] == [False, True, True]
    assert "Assay" not in processed.infotexts[0]


def test_exactly_the_accepted_are_saved_and_handed_out_with_their_seeds(judge, family):
    family.shade = lambda seed: {100: 0.9, 103: 0.8, 106: 0.7}.get(seed, 0.2)
    processed = judge(family, Processing(), action="drop", threshold=0.5)
    assert shades_in(processed) == [0.9, 0.8, 0.7]
    assert seeds_in(processed) == [100, 103, 106] == processed.all_seeds
    assert processed.all_subseeds == [500, 503, 506]
    assert processed.all_prompts == ["a lake 0", "a lake 3", "a lake 6"]
    assert [text.split("\n")[0] for text in processed.infotexts] == processed.all_prompts
    assert family.saved == processed.images
    assert [image["seed"] for image in told(processed)["images"] if image["stays"]] == [100, 103, 106]


@pytest.mark.parametrize("count", [1, 8])
def test_none_passes(judge, family, count):
    processed = judge(family, Processing(batch_size=count), action="drop", threshold=1)
    assert (processed.images, processed.infotexts, family.saved) == ([], [], [])
    assert told(processed)["summary"] == f"{count} image{'s' if count > 1 else ''}: {count} rejected, dropped"


def test_each_batch_of_several_is_judged_by_itself(judge, family):
    processed = judge(family, Processing(batch_size=5, n_iter=2), action="drop", threshold=0.65)
    assert seeds_in(processed) == [107, 108, 109] == processed.all_seeds
    assert shades_in(processed) == [0.7, 0.8, 0.9]


def test_prompts_go_along_and_the_policy_is_the_one_asked_for(judge, http_daemon, forge):
    named = {"measure": "MOS", "threshold": 2.5, "aspect": "alignment", "unsure_within_interval": True}
    judge(forge, Processing(batch_size=2), **named)
    assert sorted(item["prompt"] for item in http_daemon.items()) == ["a lake 0", "a lake 1"]
    policy = {"aspects": {"alignment": {"minScore": 2.5}}, "unsureWithinInterval": True}
    assert http_daemon.messages[0]["policy"] == policy


def test_unsure_images_count_as_the_user_says(judge, http_daemon, family):
    def unsure(message):
        status, body = http_daemon.scores(message)
        return status, {"results": [{**result, "decision": "unsure"} for result in body["results"]]}

    http_daemon.score = unsure
    assert labels(judge(family, Processing(batch_size=1), action="drop")) == ["accepted (unsure)"]
    processed = judge(family, Processing(batch_size=1), action="drop", unsure="reject")
    assert (labels(processed), processed.images) == (["rejected (unsure), dropped"], [])


def test_rejected_images_go_to_the_reject_bin_as_they_would_have_been_saved(judge, family, tmp_path):
    processed = judge(family, Processing(batch_size=3, seed=104), action="move", threshold=0.45)
    assert seeds_in(processed) == [105, 106]
    [sidecar] = tmp_path.glob("bin/*/*.json")
    about = json.loads(sidecar.read_text())
    with Image.open(sidecar.with_suffix("")) as image:
        assert "Seed: 104" in image.text["parameters"]
        assert "Assay verdict: rejected" in image.text["parameters"]
        assert round(image.getpixel((0, 0))[0] / 255, 1) == 0.4
    assert about["reasons"] == ["too dark"]
    assert about["original"].endswith("-104.png")
    assert about["original"].startswith(str(Path("outputs").absolute()))
    assert labels(processed)[0] == "rejected, moved"


def test_what_the_bin_cannot_take_stays(judge, family, tmp_path):
    (tmp_path / "bin").write_text("a file where the folder belongs")
    processed = judge(family, Processing(batch_size=3), action="move", threshold=1)
    assert (len(processed.images), len(family.saved)) == (3, 3)
    assert "rejected images stay: the reject bin" in processed.comments
    assert labels(processed) == ["rejected, kept"] * 3


def test_overlays_stay_with_their_images(judge, family):
    p = Processing(batch_size=4, n_iter=2)
    p.init_images = [object()] * 4
    p.overlay_images = [0, 1, 2, 3]
    composed = []
    family.compose = lambda p, place, image: composed.append((p.seeds[place], p.overlay_images[place])) or image
    processed = judge(family, p, action="drop", threshold=0.25)
    assert composed == [(103, 3), (104, 0), (105, 1), (106, 2), (107, 3)]
    assert seeds_in(processed) == [103, 104, 105, 106, 107]
    assert p.overlay_images == [0, 1, 2, 3]


def test_the_text_has_the_scores_of_the_image_that_is_saved(judge, http_daemon, forge):
    """Inpainting pastes what was made into the picture behind the decoder."""
    forge.compose = lambda p, place, image: Image.new("RGB", (16, 16), "white")
    processed = judge(forge, Processing(batch_size=2), action="drop", threshold=0.05)
    assert "Assay quality: 5.00" in processed.infotexts[0]
    assert len(http_daemon.items()) == 3


def test_an_image_that_goes_on_being_painted_is_judged_once_when_it_is_to_be_kept_anyway(judge, http_daemon, forge):
    forge.compose = lambda p, place, image: Image.new("RGB", (16, 16), "white")
    p = Processing(batch_size=2)
    p.overlay_images = [1, 2]
    processed = judge(forge, p)
    assert len(http_daemon.items()) == 2
    assert labels(processed) == ["accepted", "accepted"]


def test_an_image_that_gets_worse_when_it_is_finished_stays_and_says_so(judge, forge):
    forge.compose = lambda p, place, image: Image.new("RGB", (16, 16), (1, 1, 1))
    processed = judge(forge, Processing(batch_size=1, seed=109), action="drop", threshold=0.5)
    assert labels(processed) == ["rejected when it was finished, kept"]
    assert len(processed.images) == 1


@pytest.mark.parametrize(
    "thing",
    [
        torch.full((3, 16, 16), float("nan")),
        torch.full((3, 16, 16), 200.0),
        torch.zeros(0, 16, 16),
        torch.zeros(5, 16, 16),
    ],
)
def test_what_is_no_image_passes_and_the_others_are_judged(judge, forge, thing, monkeypatch):
    forge.spoil = lambda number, images: [thing, *images[1:]]
    monkeypatch.setattr(FamilyHost, "_finish", lambda self, p, call, place, t, images, texts: images.append(t))
    processed = judge(forge, Processing(batch_size=3, seed=104), action="drop", threshold=0.55)
    assert len(processed.images) == 2
    assert processed.images[0] is thing
    assert labels(processed) == ["passed unscored", "rejected, dropped", "accepted"]
    assert told(processed)["images"][0]["error"] in ("IMAGE_VALUES", "IMAGE_SHAPE")


def test_nothing_happens_when_it_is_off(http_daemon, family, monkeypatch):
    script = loaded(family, monkeypatch)
    processed = family.run(script, Processing(), False, "drop", "percentile", 1.0)
    assert len(processed.images) == 8
    assert "Assay" not in json.dumps(processed.js())
    assert http_daemon.paths == []


def test_a_copy_of_a_job_is_judged_anew(judge, forge, monkeypatch):
    p = Processing(batch_size=2)
    first = judge(forge, copy(p), action="drop", threshold=0.05)
    forge.state.job_count = -1
    assert (seeds_in(first), seeds_in(judge(forge, copy(p)))) == ([101], [100, 101])


def test_a_chosen_script_gets_all_images_that_it_asked_for(judge, family):
    p = Processing(batch_size=2, script_args=(3,))
    processed = judge(family, p, action="drop", threshold=1, keep=1, at_most=60)
    assert (len(processed.images), labels(processed)) == (2, ["rejected", "rejected"])
    assert "the chosen script puts them together" in processed.comments


def test_prompts_of_the_second_pass_stay_with_their_images(judge, forge):
    p = Processing(batch_size=4)
    p.all_hr_prompts = ["a", "b", "c", "d"]
    seen = []
    forge.compose = lambda p, place, image: seen.append(p.all_hr_prompts[place]) or image
    judge(forge, p, action="drop", threshold=0.05)
    assert seen == ["b", "c", "d"]
    assert p.all_hr_prompts == ["a", "b", "c", "d"]


def test_an_interrupted_batch_is_neither_judged_nor_dropped(judge, http_daemon, family):
    family.on_sampled = lambda number: setattr(family.state, "interrupted", True)
    processed = judge(family, Processing(batch_size=2, n_iter=3), action="drop", threshold=1)
    assert (len(processed.images), http_daemon.items()) == (2, [])
    assert "Assay verdict: interrupted" in processed.infotexts[0]


def test_a_skipped_batch_passes_and_the_next_is_judged(judge, family):
    family.on_sampled = lambda number: setattr(family.state, "skipped", number == 0)
    processed = judge(family, Processing(batch_size=2, n_iter=2), action="drop", threshold=0.25)
    assert labels(processed) == ["interrupted", "interrupted", "rejected, dropped", "accepted"]
    assert seeds_in(processed) == [100, 101, 103] == processed.all_seeds
