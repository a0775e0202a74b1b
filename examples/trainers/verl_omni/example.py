"""verl-omni: one sample a call, uint8 CHW, all of a step at once; a coroutine function is awaited as it is."""

import asyncio
import inspect
import sys
from pathlib import Path

import torch

from assay_client.rewards.verl_omni import compute_score

sys.path.insert(0, str(Path(__file__).parents[1]))
from pictures import PROMPT, landscapes

assert inspect.iscoroutinefunction(compute_score)  # else the trainer runs it in an executor


async def step():
    responses = (torch.from_numpy(landscapes(12)) * 255).round().to(torch.uint8).permute(0, 3, 1, 2)
    calls = [
        compute_score(
            data_source="landscapes",
            solution_image=response,
            ground_truth=PROMPT,
            extra_info={"num_turns": None, "rollout_reward_scores": {}},
        )
        for response in responses
    ]
    return await asyncio.gather(*calls)


results = asyncio.run(step())
scores = torch.tensor([result["score"] for result in results], dtype=torch.float32).unsqueeze(-1)
print(f"rm_scores {list(scores.shape)}, mean {scores.mean():.3f}")
print(f"beside each: {', '.join(sorted(results[0]))}")
