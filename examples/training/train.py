"""Fine-tunes a small flow model on rewards from an Assay daemon, by group-relative policy gradients (GRPO).

python examples/training/train.py --seeds 0 1 2
"""

import argparse
import json
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import landscapes
import numpy as np
import torch
from flow import Flow, pretrained, to_pictures
from sampling import CHOICES, draw, explore, log_prob, noise_of

from assay_client import AssayClient

PROMPTS = landscapes.PROMPTS


@dataclass
class Clock:
    """Seconds that a run has waited for rewards."""

    waited: float = 0.0

    def wait(self, answer):
        start = time.perf_counter()
        try:
            return answer.result()
        finally:
            self.waited += time.perf_counter() - start


def ask(assay: AssayClient, drawn: torch.Tensor, kinds: torch.Tensor, profile: str):
    """The groups are the prompts: rewards are compared within them."""
    prompts = [PROMPTS[kind] for kind in kinds]
    images = to_pictures(drawn)
    return assay.rewards(images, prompts, groups=prompts, profile=profile, advantage="zscore", layout="NCHW")


def mean_reward(assay: AssayClient, model: Flow, profile: str, each: int) -> np.ndarray:
    """Rewards of pictures that are the same for equal models: one for each noise."""
    kinds = torch.arange(len(PROMPTS)).repeat_interleave(each)
    found = ask(assay, draw(model, noise_of(len(kinds), torch.Generator().manual_seed(99)), kinds), kinds, profile)
    return np.array([np.nan if reward is None else reward for reward in found.rewards])


def learn(model: Flow, optimizer: torch.optim.Optimizer, paths: list, advantages: list, options) -> None:
    """One update by all pictures, on a few of the choices that led to them."""
    optimizer.zero_grad()
    for path, advantage in zip(paths, advantages):
        for step in torch.randperm(CHOICES)[: options.choices].tolist():
            # at the first update after drawing, the ratio of GRPO is one, and its gradient that of the log-probability
            loss = -(log_prob(model, path, step) * advantage).mean() / (options.choices * len(paths))
            loss.backward()
    optimizer.step()


def mean_of(found: list) -> float:
    given = [reward for one in found for reward in one.rewards if reward is not None]
    if not given:
        raise SystemExit(f"no image has a reward: {found[0][0].missing.reason}")
    return float(np.mean(given))


def fine_tune(model: Flow, seed: int, options) -> dict:
    torch.manual_seed(seed)
    random = torch.Generator().manual_seed(seed)
    learning = model.adapters()
    optimizer = torch.optim.AdamW(learning, lr=options.rate, weight_decay=0)
    kinds = torch.arange(len(PROMPTS)).repeat_interleave(options.group)
    start, clock, rewards = time.perf_counter(), Clock(), []
    # The name of the client is the name of the run in /v1/monitor; what measures is no part of the run.
    with (
        AssayClient(options.url, name=f"{options.run}-{seed}") as assay,
        AssayClient(options.url, name="measure") as measure,
        ThreadPoolExecutor(1) as pool,
    ):
        before = mean_reward(measure, model, options.profile, options.measured)
        for number in range(options.steps):
            paths, answers = [], []
            for part in kinds.split(len(kinds) // 2):
                # While the daemon judges the first half, the second is drawn.
                paths.append(explore(model, part, random))
                answers.append(pool.submit(ask, assay, paths[-1].drawn, part, options.profile))
            found = [clock.wait(answer) for answer in answers]
            # An image without a reward of its own has no part in the update.
            advantages = [torch.tensor([advantage or 0.0 for advantage in one.advantages]) for one in found]
            learn(model, optimizer, paths, advantages, options)
            rewards.append(mean_of(found))
            if number % 5 == 4 or options.steps < 5:
                print(f"  step {number + 1:3d}  reward {np.mean(rewards[-5:]):.3f}", flush=True)
        after = mean_reward(measure, model, options.profile, options.measured)
    seconds = time.perf_counter() - start
    gain = after - before
    return {
        "seed": seed,
        "before": float(np.nanmean(before)),
        "after": float(np.nanmean(after)),
        "gain": float(np.nanmean(gain)),
        "noise": float(np.nanstd(gain, ddof=1) / np.sqrt(np.isfinite(gain).sum())),
        "first": float(np.mean(rewards[:5])),
        "last": float(np.mean(rewards[-5:])),
        "seconds": seconds,
        "waiting": clock.waited / seconds,
    }


def show_monitor(options) -> None:
    """What the daemon has seen of the runs."""
    with urllib.request.urlopen(f"{options.url}/v1/monitor") as answer:
        report = json.load(answer)
    for run in report["runs"]:
        if not run["run"].startswith(f"{options.run}-"):
            continue
        held = run["heldOut"]
        if held and held["score"] is not None:
            print(f"monitor: {run['run']}: {held['judged']} groups judged, agreement {held['agreement']:.2f}")
        for warning in run["warnings"]:
            print(f"monitor: {warning['message']}")


def options_of(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:7878")
    parser.add_argument("--profile", default="landscapes", help="of config.json")
    parser.add_argument("--run", default="landscapes", help="what the monitor calls the run")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--group", type=int, default=12, help="pictures of a prompt in a step")
    parser.add_argument("--rate", type=float, default=1e-3, help="learning rate")
    parser.add_argument("--choices", type=int, default=4, help="of the steps that led to a picture, those that learn")
    parser.add_argument("--measured", type=int, default=12, help="pictures of a prompt, before and after")
    parser.add_argument("--model", type=Path, default=Path("landscapes.pt"), help="made when it is not there")
    parser.add_argument("--pictures", type=int, default=1024, help="drawn to learn from")
    parser.add_argument("--pretraining", type=int, default=600, help="steps")
    return parser.parse_args(arguments)


def main(arguments=None) -> list[dict]:
    options = options_of(arguments)
    kinds = np.arange(options.pictures) % len(PROMPTS)
    if not options.model.exists():
        print(f"the model learns to draw: {options.pretraining} steps, then kept in {options.model}")
        drawn = torch.from_numpy(landscapes.draw(kinds, np.random.default_rng(0)))
        pretrained(options.model, options.pretraining, drawn, torch.from_numpy(kinds))
    results = []
    for seed in options.seeds:
        print(f"seed {seed}")
        model = Flow(len(PROMPTS))
        model.load_state_dict(torch.load(options.model, weights_only=True))
        result = fine_tune(model, seed, options)
        results.append(result)
        print(
            f"  reward {result['before']:.3f} -> {result['after']:.3f}: {result['gain']:+.3f},"
            f" {result['gain'] / result['noise']:.1f} times its noise; {result['seconds']:.0f} s,"
            f" {result['waiting']:.0%} of them waiting for rewards",
            flush=True,
        )
    risen = sum(result["gain"] > 2 * result["noise"] for result in results)
    print(f"reward rose by more than twice its noise in {risen} of {len(results)} seeds")
    show_monitor(options)
    return results


if __name__ == "__main__":
    main()
