"""UniRL: a backend; the service takes its response, stops at samples without success, and makes tensors of the rest."""

import sys
from pathlib import Path
from types import SimpleNamespace

import torch
from PIL import Image

from assay_client.rewards.unirl import AssayBackend

sys.path.insert(0, str(Path(__file__).parents[1]))
from pictures import PROMPT, landscapes

backend = AssayBackend({"quality": 0.5, "alignment": 0.5})
assert backend.is_available()

pictures = [Image.fromarray((image * 255).round().astype("uint8")) for image in landscapes(6)]
request = SimpleNamespace(
    images=pictures,
    prompts=[PROMPT] * 6,
    metadata=None,
    sample_ids=[f"s{at}" for at in range(6)],
    group_ids=["g0"] * 3 + ["g1"] * 3,
)
response = backend.compute_rewards(request)
assert all(response.successes), response.errors
rewards = torch.tensor(response.rewards, dtype=torch.float32)
parts = {name: torch.tensor(values) for name, values in response.component_rewards.items()}
print(f"{len(rewards)} rewards, mean {rewards.mean():.3f}")
print(", ".join(f"{name} {values.mean():.3f}" for name, values in parts.items()))
