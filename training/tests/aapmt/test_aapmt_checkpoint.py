import fractions

import pytest
import torch

from assay_training.aapmt.checkpoint import load, random_checkpoint
from assay_training.aapmt.config import TINY, Reading
from assay_training.aapmt.export import ScoreGraph
from assay_training.checkpoints import CheckpointError

QUERY = "blip.text_encoder.encoder.layer.1.crossattention.self.query.weight"


def stored(path, state):
    torch.save(state, path)
    return path


def refusal(path) -> str:
    with pytest.raises(CheckpointError) as caught:
        load(path, TINY)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value).removeprefix(f"{path}: ")


@pytest.mark.parametrize("metric", [False, True])
def test_reads_what_it_writes(reward_file, metric_file, metric):
    path = metric_file if metric else reward_file
    found, state = load(path, TINY), torch.load(path)
    assert found.model.metric is metric
    assert not found.model.training
    for key, value in found.model.state_dict().items():
        assert torch.equal(value, state[key]), key


def test_dead_keys_of_a_reward_are_reported(reward_file):
    projections = [f"blip.{name}_proj.{part}" for name in ("vision", "text") for part in ("weight", "bias")]
    assert sorted(load(reward_file, TINY).dead) == sorted(
        [*projections, "blip.text_encoder.embeddings.position_ids"]
    )


def test_dead_keys_of_a_metric_transformer_are_reported(metric_file):
    dead = load(metric_file, TINY).dead
    for name in ("wq_quality", "wk_text_image_correspondence", "wk_authenticity"):
        assert f"ImageAssessmentModel.{name}" in dead
    assert "ImageAssessmentModel.encoder.self_attn.in_proj_weight (queries and keys)" in dead
    assert "mlp.layers.7.bias" in dead
    assert not any("wv_" in key for key in dead)


def test_dead_keys_may_be_missing(metric_file, tmp_path):
    model = load(metric_file, TINY).model
    path = stored(tmp_path / "live.pt", model.state_dict())
    assert load(path, TINY).dead == [
        "ImageAssessmentModel.encoder.self_attn.in_proj_weight (queries and keys)",
        "ImageAssessmentModel.encoder.self_attn.in_proj_bias (queries and keys)",
    ]


def test_wrapped_and_half_precision_states_are_read(reward_file, tmp_path):
    state = {k: v.half() if v.is_floating_point() else v for k, v in torch.load(reward_file).items()}
    found = load(stored(tmp_path / "run.pt", {"epoch": 3, "model_state_dict": state}), TINY).model
    assert found.mlp.layers[0].weight.dtype == torch.float32
    assert torch.equal(found.mlp.layers[0].weight, state["mlp.layers.0.weight"].float())


@pytest.mark.parametrize("key", [QUERY, "mlp.layers.6.bias", "blip.visual_encoder.pos_embed"])
def test_missing_key_is_named(reward_file, tmp_path, key):
    state = torch.load(reward_file)
    del state[key]
    assert refusal(stored(tmp_path / "x.pt", state)).endswith(f"keys missing: {key}")


@pytest.mark.parametrize("key", ["encoder.norm2.bias", "wv_quality"])
def test_missing_key_of_the_metric_transformer_is_named(metric_file, tmp_path, key):
    state = torch.load(metric_file)
    del state[f"ImageAssessmentModel.{key}"]
    assert refusal(stored(tmp_path / "x.pt", state)).endswith(f"keys missing: ImageAssessmentModel.{key}")


def test_wrong_shape_is_named(reward_file, tmp_path):
    state = torch.load(reward_file)
    state[QUERY] = state[QUERY][:, :-1]
    assert refusal(stored(tmp_path / "x.pt", state)) == f"{QUERY}: expected shape (12, 12), found (12, 11)"


def test_other_systems_are_refused(reward_file, tmp_path):
    other = {f"clip_model.visual.block{index}.weight": torch.zeros(2) for index in range(9)}
    message = refusal(stored(tmp_path / "x.pt", other))
    assert "keys missing: blip.visual_encoder.* (30), " in message
    assert "it has clip_model.visual.* (9) instead" in message
    more = torch.load(reward_file) | {"head.weight": torch.zeros(2)}
    assert refusal(stored(tmp_path / "y.pt", more)).startswith("unexpected key head.weight; ")


def test_truncated_file_is_refused(reward_file, tmp_path):
    path = tmp_path / "x.pt"
    path.write_bytes(reward_file.read_bytes()[:-5000])
    assert refusal(path).startswith("this is no checkpoint: it is cut off after ")


def test_code_is_not_run(tmp_path):
    path = stored(tmp_path / "x.pt", {"model": fractions.Fraction(1, 2)})
    assert refusal(path).startswith("not read, since that would run code")


@pytest.mark.parametrize("metric", [False, True])
def test_names_of_a_parallel_net_are_read(reward_file, metric_file, tmp_path, metric):
    state = torch.load(metric_file if metric else reward_file)
    path = stored(tmp_path / "x.pt", {"model": {f"module.{key}": value for key, value in state.items()}})
    assert load(path, TINY).model.metric is metric


def test_missing_file_is_named(tmp_path):
    assert refusal(tmp_path / "none.pt") == "file not found"


def test_random_checkpoints_follow_their_seed(tmp_path, reward_file):
    again, other = tmp_path / "again.pt", tmp_path / "other.pt"
    random_checkpoint(TINY, again, seed=0)
    random_checkpoint(TINY, other, seed=1)
    first, same, different = (torch.load(path) for path in (reward_file, again, other))
    assert first.keys() == same.keys() == different.keys()
    assert all(torch.equal(first[key], same[key]) for key in first)
    assert not torch.equal(first[QUERY], different[QUERY])


@torch.no_grad()
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("metric", [False, True])
def test_random_scores_differ_and_are_cut_off_by_no_range(tmp_path, images, texts, metric, seed):
    path, aspects = tmp_path / "x.pt", ("quality", "alignment", "authenticity")
    random_checkpoint(TINY, path, seed, metric)
    model = load(path, TINY).model
    scores = torch.cat(ScoreGraph(model, Reading(aspects))(*texts, model.tokens(images)), 1)
    assert 0 < scores.min() < scores.max() < 3
    assert scores.std(0).min() > 0.01
    assert scores.std(1).min() > 0.001
