"""Flow-Factory: a class named in the config, made with config and accelerator, called with chunks of a batch."""

import sys
from pathlib import Path
from types import SimpleNamespace

import torch

from assay_client.rewards.flow_factory import AssayReward

sys.path.insert(0, str(Path(__file__).parents[1]))
from pictures import PROMPT, landscapes

# rewards:
#   - name: assay
#     reward_model: assay_client.rewards.flow_factory.AssayReward
#     batch_size: 16
config = SimpleNamespace(device=torch.device("cpu"), dtype=torch.float32, batch_size=16, measure="reward")
accelerator = SimpleNamespace(device=torch.device("cpu"))
model = AssayReward(config, accelerator)

images = list(torch.from_numpy(landscapes(20)).permute(0, 3, 1, 2))  # CHW: the class asks for tensors
chunks = []
for start in range(0, len(images), config.batch_size):
    chunk = images[start : start + config.batch_size]
    output = model(prompt=[PROMPT] * len(chunk), image=chunk)
    chunks.append(torch.as_tensor(output.rewards, device="cpu", dtype=torch.float32))
rewards = torch.cat(chunks)
print(f"{len(rewards)} rewards in {len(chunks)} chunks, mean {rewards.mean():.3f}")
