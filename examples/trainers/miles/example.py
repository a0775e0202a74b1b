"""miles_diffusion: `--custom-rm-path assay_client.rewards.miles.custom_rm`; all samples of a rollout in one call."""

import asyncio
import sys
from pathlib import Path
from types import SimpleNamespace

import torch

from assay_client.rewards.miles import custom_rm

sys.path.insert(0, str(Path(__file__).parents[1]))
from pictures import PROMPT, landscapes

args = SimpleNamespace(custom_rm_path="assay_client.rewards.miles.custom_rm", assay_measure="quality")
outputs = torch.from_numpy(landscapes(6)).permute(0, 3, 1, 2).unsqueeze(2)  # C, T = 1, H, W each
samples = [SimpleNamespace(prompt=PROMPT, generated_output=output, metadata={}) for output in outputs]

rewards = asyncio.run(custom_rm(args, samples))
assert all(isinstance(reward, float) for reward in rewards)
print(f"{len(rewards)} rewards, mean {sum(rewards) / len(rewards):.3f}")
