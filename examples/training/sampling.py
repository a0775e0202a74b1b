"""Sampling as a policy: each step draws from a normal distribution, so that it has a log-probability.

The velocity tells both ends of the line that x lies on: the picture x - t v, and the noise x + (1 - t) v. The next
state is the point of that line at the next time, with a part of its noise drawn anew. That part is what explores; how
noisy a state is at its time stays the same, as with DDIM (Song et al., 2020).
"""

from dataclasses import dataclass

import torch
from flow import CHANNELS, Flow
from torch import Tensor

STEPS = 10
#: The part of the noise that is drawn anew, 0..1; its squares add up to one.
NEW = 0.7
#: The last step adds no noise, so that pictures are clean; it is none of the policy's.
CHOICES = STEPS - 1
_TIMES = torch.linspace(1, 0, STEPS + 1)


@dataclass
class Path:
    """How N pictures came about."""

    kinds: Tensor
    #: [CHOICES + 1, N, 48, 16, 16]: before each choice, and after the last.
    states: Tensor
    #: [CHOICES, N]
    log_probs: Tensor
    #: [N, 48, 16, 16]
    drawn: Tensor


def noise_of(count: int, random: torch.Generator) -> Tensor:
    return torch.randn(count, CHANNELS, 16, 16, generator=random)


def _choice(model: Flow, x: Tensor, step: int, kinds: Tensor) -> tuple[Tensor, float]:
    """Mean and standard deviation of the state after the step."""
    t, after = float(_TIMES[step]), float(_TIMES[step + 1])
    velocity = model(x, torch.full((len(x),), t), kinds)
    picture, noise = x - t * velocity, x + (1 - t) * velocity
    return (1 - after) * picture + after * (1 - NEW**2) ** 0.5 * noise, after * NEW


def log_prob(model: Flow, path: Path, step: int) -> Tensor:
    """[N], of what was chosen, a mean over its values as Flow-GRPO takes it; constants are left out."""
    mean, spread = _choice(model, path.states[step], step, path.kinds)
    return -((path.states[step + 1] - mean) ** 2).mean((1, 2, 3)) / (2 * spread**2)


@torch.no_grad()
def explore(model: Flow, kinds: Tensor, random: torch.Generator) -> Path:
    """Draws pictures by chance."""
    states = [noise_of(len(kinds), random)]
    chances = []
    for step in range(CHOICES):
        mean, spread = _choice(model, states[-1], step, kinds)
        chance = noise_of(len(kinds), random)
        states.append(mean + spread * chance)
        chances.append(-(chance**2).mean((1, 2, 3)) / 2)
    return Path(kinds, torch.stack(states), torch.stack(chances), _flow(model, states[-1], CHOICES, kinds))


@torch.no_grad()
def draw(model: Flow, noise: Tensor, kinds: Tensor) -> Tensor:
    """[N, 48, 16, 16]: what the noise becomes, always the same."""
    x = noise
    for step in range(STEPS):
        x = _flow(model, x, step, kinds)
    return x


def _flow(model: Flow, x: Tensor, step: int, kinds: Tensor) -> Tensor:
    velocity = model(x, torch.full((len(x),), float(_TIMES[step])), kinds)
    return x - velocity * (_TIMES[step] - _TIMES[step + 1])
