"""TRL's GRPOTrainer calls each reward function with its columns by keyword; a row whose reward is None is left out."""

import sys
from pathlib import Path

import torch

from assay_client.rewards.trl import grpo_reward

sys.path.insert(0, str(Path(__file__).parents[1]))
from pictures import PROMPT, landscapes

reward_funcs = [grpo_reward("quality"), grpo_reward("alignment")]
images = [*landscapes(7), None]  # the last row is a text task: no image reward applies to it
inputs = {"prompts": [PROMPT] * 8, "completions": [""] * 8, "completion_ids": [[]] * 8, "images": images}

columns = []
for func in reward_funcs:
    output = func(trainer_state=None, **inputs)
    columns.append([reward if reward is not None else torch.nan for reward in output])
rewards_per_func = torch.tensor(columns).T
rewards = rewards_per_func.nanmean(dim=1)
print(", ".join(func.__name__ for func in reward_funcs))
print(f"{int(torch.isfinite(rewards).sum())} of {len(rewards)} rows have a reward, mean {rewards.nanmean():.3f}")
