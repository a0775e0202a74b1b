"""flow_grpo: `multi_score(device, config.reward_fn)` gives the function; eight threads call it with only_strict."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from assay_client.rewards.flow_grpo import multi_score

sys.path.insert(0, str(Path(__file__).parents[1]))
from pictures import PROMPT, landscapes

reward_fn = multi_score(torch.device("cpu"), {"quality": 0.5, "alignment.percentile": 1.0})
executor = ThreadPoolExecutor(max_workers=8)

samples = []
for batch in range(3):
    images = torch.from_numpy(landscapes(4, first=4 * batch)).permute(0, 3, 1, 2)
    samples.append(executor.submit(reward_fn, images, [PROMPT] * 4, [{}] * 4, only_strict=True))

found = [sample.result()[0] for sample in samples]
rewards = {key: torch.cat([torch.as_tensor(part[key]).float() for part in found]) for key in found[0]}
advantages = (rewards["avg"] - rewards["avg"].mean()) / (rewards["avg"].std() + 1e-4)
print(", ".join(f"{key} {value.mean():.3f}" for key, value in rewards.items()))
print(f"{len(advantages)} advantages from {advantages.min():.2f} to {advantages.max():.2f}")
