"""What each adapter gives, and what it gives where there is no reward."""

import asyncio
import importlib
import math
import pickle
import sys
from abc import ABC, abstractmethod
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import Host
from fake_daemon import FakeDaemon, error

from assay_client import AssayClient, AssayFailure
from assay_client.rewards import Measure, asking, miles, triple, verl_omni
from assay_client.rewards.diffusers import PreviewScores
from assay_client.rewards.flow_factory import AssayReward
from assay_client.rewards.flow_grpo import multi_score
from assay_client.rewards.trl import grpo_reward
from assay_client.rewards.unirl import AssayBackend

#: Level of grey; the fake daemon takes black for blank, and its reward is the grey.
GREYS = (51, 0, 153)
GOOD = (51, 102, 153)


def images(levels=GOOD) -> torch.Tensor:
    return torch.tensor(levels)[:, None, None, None].expand(-1, 3, 8, 8) / 255


@pytest.fixture
def daemon(monkeypatch):
    loop, fake = Host(), FakeDaemon()
    loop.call(fake.start())
    monkeypatch.setattr(asking, "_shared", {})
    monkeypatch.setattr(verl_omni, "_clients", {})
    monkeypatch.setenv("ASSAY_URL", fake.url)
    yield fake
    for client in asking._shared.values():
        if isinstance(client, AssayClient):
            client.close()
    loop.call(fake.stop())
    loop.close()


def no_reward(call) -> AssayFailure:
    with pytest.raises(AssayFailure) as caught:
        call()
    assert caught.value.code == "NO_REWARD"
    return caught.value


def test_measures_are_read_from_names():
    assert Measure.of("assay-lite@1.0/quality.percentile").scorer == "assay-lite@1.0"
    for name in ("", "beauty", "reward.percentile.x", "quality.mean", "assay-lite/"):
        with pytest.raises(AssayFailure, match="BAD_REQUEST"):
            Measure.of(name)


@pytest.mark.parametrize(
    ("measure", "expected"),
    [("reward", [0.2, 0.4, 0.6]), ("quality", [1, 2, 3]), ("quality.percentile", [0.2, 0.4, 0.6])],
)
def test_triple(daemon, measure, expected):
    rewards, info = triple(measure=measure)(images(), ("a", "b", "c"), ({}, {}, {}))
    assert rewards == pytest.approx(expected) and rewards.dtype == np.float64 and info == {}
    assert [item["prompt"] for item in daemon.sent()] == ["a", "b", "c"]


def test_a_triple_goes_into_a_process_of_the_trainer(daemon):
    fn = pickle.loads(pickle.dumps(triple(measure="quality", missing="worst")))
    assert fn(images(), "abc", {})[0] == pytest.approx([1, 2, 3])


def test_triple_with_what_trainers_hand_over(daemon):
    fn = triple("cpu")
    nhwc = (images().permute(0, 2, 3, 1).numpy() * 255).round().astype(np.uint8)
    for given, metadata in ((images(), {}), (nhwc, np.array([{}] * 3, dtype=object)), (images().bfloat16(), [])):
        assert fn(given, np.array(["a", "b", "c"]), metadata)[0] == pytest.approx([0.2, 0.4, 0.6], abs=0.005)


@pytest.mark.parametrize(
    ("missing", "expected"), [("worst", 0.2), ("nan", math.nan), (-1, -1.0), (0.05, 0.05)], ids=str
)
def test_a_missing_reward_is_what_was_chosen(daemon, missing, expected):
    rewards, _ = triple(missing=missing)(images(GREYS), list("abc"), {})
    assert rewards == pytest.approx([0.2, expected, 0.6], nan_ok=True)


def test_a_missing_reward_raises_by_default_and_says_why(daemon):
    failure = no_reward(lambda: triple()(images(GREYS), list("abc"), {}))
    assert "image 1" in failure.message and "all black" in failure.message
    worst = no_reward(lambda: triple(missing="worst")(images((0, 0)), list("ab"), {}))
    assert "nor has any other" in worst.message and "nor has any other" not in failure.message
    nan = images().clone()
    nan[2, 0, 0, 0] = math.nan
    assert "IMAGE_VALUES" in no_reward(lambda: triple()(nan, list("abc"), {})).message
    assert "no alignment" in no_reward(lambda: triple(measure="alignment")(images(), list("abc"), {})).message


@pytest.mark.parametrize("missing", ["zero", None, math.nan, math.inf, True])
def test_no_choice_is_made_up(missing):
    with pytest.raises(AssayFailure, match="BAD_REQUEST"):
        triple(missing=missing)


def test_no_failure_becomes_a_number(daemon):
    """Whatever the daemon says, no adapter makes a value of it."""
    daemon.answer = lambda _message: error("INFERENCE_FAILED")
    for call in (
        lambda: triple(missing="worst")(images(), list("abc"), {}),
        lambda: multi_score("cpu", {"quality": 1.0}, missing=0.5)(images(), list("abc"), {}),
        lambda: AssayBackend().compute_rewards(
            SimpleNamespace(images=[*images()], prompts=list("abc"), sample_ids=None, group_ids=None)
        ),
        lambda: grpo_reward()(list("abc"), images=[*images()]),
        lambda: asyncio.run(verl_omni.compute_score(solution_image=images()[0], ground_truth="a")),
        lambda: asyncio.run(miles.custom_rm(None, [SimpleNamespace(prompt="a", generated_output=images()[0])])),
    ):
        with pytest.raises(AssayFailure, match="INFERENCE_FAILED"):
            call()


def test_flow_grpo(daemon):
    fn = multi_score("cpu", {"quality": 0.5, "reward": 2.0})
    scores, info = fn(images(), list("abc"), {}, only_strict=True)
    assert scores["quality"] == pytest.approx([1, 2, 3]) and scores["reward"] == pytest.approx([0.2, 0.4, 0.6])
    assert scores["avg"] == pytest.approx([0.9, 1.8, 2.7]) and info == {}
    assert len(daemon.sent()) == 3  # both measures from one scoring
    no_reward(lambda: fn(images(GREYS), list("abc"), {}))
    avg = multi_score("cpu", {"quality": 1.0}, missing="nan")(images(GREYS), list("abc"), {})[0]["avg"]
    assert avg == pytest.approx([1, math.nan, 3], nan_ok=True)


@pytest.mark.parametrize("weights", [{}, {"quality": math.nan}, {"quality": "1"}, {"quality": None}])
def test_flow_grpo_makes_no_reward_of_no_weights(weights):
    with pytest.raises(AssayFailure, match=r"score_dict|weight of 'quality'") as raised:
        multi_score("cpu", weights)
    assert raised.value.code == "BAD_REQUEST"


def test_flow_grpo_asks_each_scorer_once(daemon):
    multi_score("cpu", {"one/quality": 1.0, "two/quality": 1.0, "two/reward": 1.0})(images(), list("abc"), {})
    scorers = [message["scorer"] for message in daemon.ops("score") for _ in message["items"]]
    assert sorted(scorers) == ["one"] * 3 + ["two"] * 3


def test_verl_omni(daemon):
    async def step():
        samples = (images() * 255).round().to(torch.uint8)
        calls = [
            verl_omni.compute_score(
                data_source="s", solution_image=one, ground_truth="a", extra_info={}, reward_router_address="x"
            )
            for one in (*samples, samples[:1])
        ]
        return await asyncio.gather(*calls)

    found = asyncio.run(step())
    assert [one["score"] for one in found] == pytest.approx([0.2, 0.4, 0.6, 0.2])
    assert found[0]["quality"] == pytest.approx(1)
    black = torch.zeros(3, 8, 8, dtype=torch.uint8)
    no_reward(lambda: asyncio.run(verl_omni.compute_score(solution_image=black, ground_truth="a")))
    elsewhere = verl_omni.compute_score(solution_image=black + 51, ground_truth="a", server_url=daemon.url)
    assert asyncio.run(elsewhere)["score"] == pytest.approx(0.2)


def test_flow_factory(daemon):
    def model(**entry):
        return AssayReward(SimpleNamespace(**entry), SimpleNamespace(device=torch.device("cpu")))

    output = model(measure="quality", server_url=daemon.url)(prompt=list("abc"), image=[*images()])
    assert output.rewards.dtype == torch.float32 and output.rewards.tolist() == pytest.approx([1, 2, 3])
    no_reward(lambda: model()(prompt=list("abc"), image=[*images(GREYS)]))
    worst = model(missing="worst")(prompt=list("abc"), image=[*images(GREYS)]).rewards
    assert worst.tolist() == pytest.approx([0.2, 0.2, 0.6])


@pytest.fixture
def installed(monkeypatch):
    """Loads an adapter as it is where its trainer is installed: with modules of that name."""

    def load(adapter: str, **modules: dict):
        for name, content in modules.items():
            module = ModuleType(name.replace("__", "."))
            vars(module).update(content)
            monkeypatch.setitem(sys.modules, module.__name__, module)
        name = f"assay_client.rewards.{adapter}"
        monkeypatch.delitem(sys.modules, name, raising=False)
        return importlib.import_module(name)

    return load


def test_flow_factory_where_it_is_installed(daemon, installed):
    class Pointwise(ABC):
        def __init__(self, config, accelerator):
            self.accelerator, self.config = accelerator, config
            self.device = accelerator.device if config.device == torch.device("cuda") else config.device

        @abstractmethod
        def __call__(self, *args, **kwargs): ...

    made = installed(
        "flow_factory",
        flow_factory={},
        flow_factory__rewards={},
        flow_factory__rewards__abc={"PointwiseRewardModel": Pointwise, "RewardModelOutput": SimpleNamespace},
    )
    config = SimpleNamespace(device=torch.device("cpu"), dtype=torch.float32)
    model = made.AssayReward(config, SimpleNamespace(device=torch.device("cpu")))
    assert isinstance(model, Pointwise)
    assert model(prompt=list("abc"), image=[*images()]).rewards.tolist() == pytest.approx([0.2, 0.4, 0.6])


def test_unirl_where_it_is_installed(daemon, installed):
    class Backend(ABC):
        def __init__(self, model_name="", batch_size=8, timeout=60.0, **_):
            self.model_name = model_name

        def prompts(self, request):
            return request.original_prompt

        @abstractmethod
        def compute_rewards(self, request): ...

        @abstractmethod
        def is_available(self): ...

    class Response(SimpleNamespace): ...

    parts = {"unirl": {}, "unirl__reward": {}, "unirl__types": {}}
    made = installed(
        "unirl",
        **parts,
        unirl__reward__base={"RewardBackend": Backend},
        unirl__types__reward={"RewardResponse": Response},
    )
    backend = made.AssayBackend()
    assert isinstance(backend, Backend) and backend.model_name == "assay"
    request = SimpleNamespace(images=[*images()], original_prompt=list("abc"), sample_ids=None, group_ids=None)
    response = backend.compute_rewards(request)
    assert isinstance(response, Response) and response.rewards == pytest.approx([0.2, 0.4, 0.6])
    assert [item["prompt"] for item in daemon.sent()] == ["a", "b", "c"]


def test_unirl(daemon):
    def request(levels):
        ids = {"sample_ids": ["x", "y", "z"], "group_ids": ["g", "g", "h"]}
        return SimpleNamespace(images=[*images(levels)], prompts=list("abc"), **ids)

    backend = AssayBackend({"quality": 0.5, "reward": 1.0})
    response = backend.compute_rewards(request(GOOD))
    assert response.rewards == pytest.approx([0.7, 1.4, 2.1]) and response.successes == [True] * 3
    assert response.component_rewards["quality"] == pytest.approx([1, 2, 3]) and response.errors == [None] * 3
    response = backend.compute_rewards(request(GREYS))
    assert response.successes == [True, False, True] and "all black" in response.errors[1]
    assert math.isnan(response.rewards[1]) and response.compute_time > 0


def test_miles(daemon):
    def samples(levels):
        return [SimpleNamespace(prompt="a", generated_output=one[:, None]) for one in images(levels)]

    assert asyncio.run(miles.custom_rm(SimpleNamespace(), samples(GOOD))) == pytest.approx([0.2, 0.4, 0.6])
    assert asyncio.run(miles.custom_rm(SimpleNamespace(), [])) == []
    no_reward(lambda: asyncio.run(miles.custom_rm(SimpleNamespace(), samples(GREYS))))
    floor = SimpleNamespace(assay_missing=0.01, assay_measure="quality")
    assert asyncio.run(miles.custom_rm(floor, samples(GREYS))) == pytest.approx([1, 0.01, 3])
    video = [SimpleNamespace(prompt="a", generated_output=torch.zeros(3, 5, 8, 8))]
    with pytest.raises(AssayFailure, match=r"samples\[0\].*no videos"):
        asyncio.run(miles.custom_rm(SimpleNamespace(), video))


def test_trl(daemon):
    fn = grpo_reward("quality", images="image")
    assert fn.__name__ == "assay_quality"
    talk = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "b"}]}]
    columns = {"completions": [""] * 4, "completion_ids": [[]] * 4, "trainer_state": None}
    one, two, three = images(GREYS)
    assert fn(prompts=["a", talk, "c", "d"], image=[one, None, two, three], **columns) == [
        *(pytest.approx(1), None, None, pytest.approx(3))
    ]
    assert fn(prompts=["a"], image=[None]) == [None]
    fn(prompts=[talk], image=[one])
    assert [item["prompt"] for item in daemon.sent()] == ["a", "c", "d", "b"]


@pytest.mark.parametrize(
    ("columns", "named"), [({"picture": [None]}, "'image'.*picture"), ({"image": []}, "0 of 'image'")]
)
def test_trl_is_told_which_column_is_wrong(columns, named):
    with pytest.raises(AssayFailure, match=named) as raised:
        grpo_reward("quality", images="image")(prompts=["a"], **columns)
    assert raised.value.code == "BAD_REQUEST"


def test_diffusers(daemon):
    pipeline = SimpleNamespace(_interrupt=False)
    scores = PreviewScores("a", every=2, stop_below=0.5, stop_after=4, decode=lambda _pipeline, latents: latents)
    for step, levels in enumerate([GOOD, GOOD, GOOD, (0, 0), GOOD, (51, 0)]):
        given = {"latents": images(levels)}
        assert scores(pipeline, step, 999 - step, given) is given
        assert pipeline._interrupt == (step == 5)
    assert [preview.step for preview in scores.previews] == [1, 3, 5]
    assert scores.previews[1].values == [None, None]
    assert scores.previews[2].values == [pytest.approx(0.2), None]
