"""Images until so many are kept: seeds, numbers of batches, and the end."""

from __future__ import annotations

from a1111_host import Processing, seeds_in
from test_a1111_batches import labels, told


def test_it_makes_batches_until_so_many_are_kept(judge, family):
    family.shade = lambda seed: 0.9 if seed in (103, 109, 110, 117) else 0.2
    p = Processing(batch_size=4)
    processed = judge(family, p, action="drop", threshold=0.5, keep=3, at_most=20)
    assert family.sampled == [[100, 101, 102, 103], [104, 105, 106, 107], [108, 109, 110, 111]]
    assert seeds_in(processed) == [103, 109, 110] == processed.all_seeds
    assert "3 of 3 kept, 12 made" in processed.comments
    assert family.job_counts[:3] == [5, 5, 5]


def test_progress_is_whole_when_it_ends_before_the_last_batch(judge, forge):
    judge(forge, Processing(batch_size=1, seed=109), keep=1, at_most=20)
    assert forge.job_counts == [20, 20]
    assert forge.state.job_count == forge.state.job_no == 1


def test_it_makes_no_more_than_it_may(judge, family):
    processed = judge(family, Processing(batch_size=4), action="drop", threshold=1, keep=1, at_most=10)
    assert [len(seeds) for seeds in family.sampled] == [4, 4, 2]
    assert processed.images == []
    assert "0 of 1 kept, 10 made" in processed.comments


def test_batches_with_images_to_begin_from_are_whole(judge, family):
    p = Processing(batch_size=4)
    p.init_images = [object()]
    judge(family, p, threshold=1, keep=1, at_most=10)
    assert [len(seeds) for seeds in family.sampled] == [4, 4]


def test_a_batch_is_no_larger_than_what_may_be_made(judge, family):
    judge(family, Processing(batch_size=8), threshold=1, keep=2, at_most=3)
    assert family.sampled == [[100, 101, 102]]


def test_of_a_batch_with_more_than_needed_the_best_are_kept(judge, family):
    processed = judge(family, Processing(batch_size=8), action="drop", threshold=0.35, keep=2, at_most=8)
    assert seeds_in(processed) == [106, 107]
    assert labels(processed) == ["rejected, dropped"] * 4 + ["surplus, dropped"] * 2 + ["accepted"] * 2


def test_without_a_limit_it_ends_earlier_than_asked_for_and_never_later(judge, family):
    processed = judge(family, Processing(batch_size=2, n_iter=4), threshold=0.25, keep=1)
    assert family.sampled == [[100, 101], [102, 103]]
    assert processed.all_seeds == [100, 101, 102, 103]
    assert labels(processed) == ["rejected", "rejected", "rejected", "accepted"]


def test_a_count_that_others_have_set_grows_by_the_further_batches(judge, forge):
    forge.state.job_count = 7
    judge(forge, Processing(batch_size=1, n_iter=1), threshold=1, keep=1, at_most=3)
    assert forge.job_counts == [9, 9, 9]


def test_more_than_can_be_made_is_said(judge, family):
    processed = judge(family, Processing(batch_size=2), threshold=0, keep=5)
    assert "keep is 5, and no more than 2 images are made" in processed.comments


def test_every_second_batch_varies_the_best_so_far(judge, forge):
    forge.shade = lambda seed: 0.3 if seed == 101 else 0.2
    p = Processing(batch_size=2)
    processed = judge(forge, p, threshold=1, keep=1, at_most=8, vary=0.2)
    assert forge.sampled == [[100, 101], [101, 101], [104, 105], [101, 101]]
    assert [rng.subseed_strength for rng in forge.rngs] == [0, 0.2, 0, 0.2]
    assert [rng.subseeds for rng in forge.rngs][1] == [502, 503]
    assert seeds_in(processed) == [100, 101, 101, 101, 104, 105, 101, 101] == processed.all_seeds
    assert ["Variation seed" in text for text in processed.infotexts] == [False, False, True, True] * 2


def test_interrupted_images_do_not_count(judge, family):
    family.on_sampled = lambda number: setattr(family.state, "skipped", number == 0)
    judge(family, Processing(batch_size=1), threshold=0, keep=1, at_most=3)
    assert len(family.sampled) == 2


def test_the_answer_tells_which_count(judge, forge):
    processed = judge(forge, Processing(batch_size=3), threshold=0.15, keep=1, at_most=3)
    report = told(processed)
    assert report["notes"] == ["1 of 1 kept, 3 made"]
    assert [image["label"] for image in report["images"]] == ["rejected", "rejected", "accepted"]
