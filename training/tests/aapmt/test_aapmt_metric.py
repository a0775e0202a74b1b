import pytest
import torch

from assay_training.aapmt.config import TINY, Reading
from assay_training.aapmt.export import MetricHead, mix
from assay_training.aapmt.metric import OUTPUTS, DeclaredMetricTransformer, MetricTransformer

PREFIX = "ImageAssessmentModel."


@pytest.fixture(scope="module")
def declared(metric_file) -> DeclaredMetricTransformer:
    """With all that the checkpoint holds."""
    module, state = DeclaredMetricTransformer(TINY).eval(), torch.load(metric_file)
    module.load_state_dict({k.removeprefix(PREFIX): v for k, v in state.items() if k.startswith(PREFIX)})
    return module


@pytest.fixture(scope="module")
def collapsed(metric) -> MetricTransformer:
    return metric.ImageAssessmentModel


@pytest.fixture(scope="module")
def features() -> torch.Tensor:
    return torch.randn(TINY.text.width, TINY.text.width, generator=torch.Generator().manual_seed(4))


def test_collapsed_equals_declared_one_feature_at_a_time(declared, collapsed, features):
    alone = torch.stack([declared(x[None]) for x in features])
    torch.testing.assert_close(collapsed(features), alone, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(collapsed(features.view(3, 4, -1)), alone.view(3, 4, 3), rtol=1e-4, atol=1e-5)
    assert alone.std(0).min() > 0.05


def test_queries_and_keys_have_no_effect(declared, features):
    x, before = features[:1], declared(features[:1])
    other = DeclaredMetricTransformer(TINY).eval()
    other.load_state_dict(declared.state_dict())
    with torch.no_grad():
        for output in OUTPUTS:
            getattr(other, f"wq_{output}").mul_(-3)
            getattr(other, f"wk_{output}").add_(1)
        other.encoder.self_attn.in_proj_weight[: 2 * TINY.text.width].mul_(-2)
        other.encoder.self_attn.in_proj_bias[: 2 * TINY.text.width].add_(1)
        torch.testing.assert_close(other(x), before)
        other.encoder.self_attn.in_proj_weight[2 * TINY.text.width :].mul_(-2)
    assert (other(x) - before).abs().max() > 0.01


def test_declared_one_lets_images_of_a_batch_attend_to_one_another(declared, features):
    together = declared.encoder(features[:3])
    alone = torch.cat([declared.encoder(x[None]) for x in features[:3]])
    assert (together - alone).abs().max() > 0.1
    changed = declared.encoder(torch.cat([features[:2], features[5:6]]))
    assert (together - changed)[:2].abs().max() > 0.1  # another third image moves the first two


def test_declared_one_gives_no_score_an_image(declared, collapsed, features):
    with pytest.raises(RuntimeError, match="must match"):
        declared(features[:3])
    assert declared(features).shape == (3,)  # a batch as large as the width broadcasts, to one score for all
    assert collapsed(features).shape == (len(features), 3)


def head(metric, **options) -> MetricHead:
    return MetricHead(
        metric.ImageAssessmentModel, Reading(("quality", "alignment", "authenticity"), **options)
    )


def test_heads_are_swapped_as_they_were_trained(metric, features):
    texts = features[:6].view(2, 3, -1)  # two images, features of quality, alignment and authenticity text
    scores = metric.ImageAssessmentModel(texts)  # [image, text, head]
    trained, named = head(metric)(texts), head(metric, heads="as-named")(texts)
    assert trained.shape == (2, 3, 1)
    torch.testing.assert_close(
        trained[..., 0], torch.stack([scores[:, 0, 1], scores[:, 1, 0], scores[:, 2, 2]], 1)
    )
    torch.testing.assert_close(
        named[..., 0], torch.stack([scores[:, 0, 0], scores[:, 1, 1], scores[:, 2, 2]], 1)
    )
    assert (trained - named)[:, :2].abs().min() > 1e-3


@pytest.mark.parametrize("source", ["mean", "sum", "prompt"])
def test_one_feature_may_serve_all_aspects(metric, features, source):
    texts = features[:6].view(2, 3, -1)
    one = {"mean": texts.mean(1), "sum": texts.sum(1), "prompt": texts[:, 1]}[source]
    wanted = metric.ImageAssessmentModel(one)[:, [1, 0, 2]]
    torch.testing.assert_close(head(metric, features=source)(texts)[..., 0], wanted, rtol=1e-4, atol=1e-5)


def test_features_are_the_texts_own_by_default():
    assert mix(Reading(("quality", "alignment", "authenticity"))).tolist() == torch.eye(3).tolist()
