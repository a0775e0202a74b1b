"""ddpo-pytorch: `config.reward_fn` names a factory in ddpo_pytorch/rewards.py; its function runs in a pool of two."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from assay_client.rewards import triple

sys.path.insert(0, str(Path(__file__).parents[1]))
from pictures import PROMPT, landscapes

reward_fn = triple()
executor = ThreadPoolExecutor(max_workers=2)

samples = []
for batch in range(3):
    images = torch.from_numpy(landscapes(4, first=4 * batch)).permute(0, 3, 1, 2)  # as the pipeline gives them
    prompts, prompt_metadata = zip(*[(PROMPT, {}) for _ in images])
    samples.append(executor.submit(reward_fn, images, prompts, prompt_metadata))

rewards = torch.cat([torch.as_tensor(sample.result()[0]) for sample in samples])
advantages = (rewards - rewards.mean()) / (rewards.std() + 1e-8)
print(f"{len(rewards)} rewards, mean {rewards.mean():.3f}")
print(f"advantages from {advantages.min():.2f} to {advantages.max():.2f}")
