"""The predictor: hidden states of a conversation to a score."""

from __future__ import annotations

from torch import Tensor, nn

from assay_training.m3_agiqa.config import Config
from assay_training.m3_agiqa.xlstm import Stack


class Pooler(nn.Module):
    """Only there for its name in checkpoints."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.xlstm_stack = Stack(config)

    def forward(self, x: Tensor) -> Tensor:
        """[N, S, width] to the same."""
        return self.xlstm_stack(x)


class Predictor(nn.Module):
    """Upstream maps the language model's logits to `width`; here both maps are one."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.map = nn.Linear(config.hidden, config.width)
        self.xlstm_pooler = Pooler(config)
        self.fc = nn.Sequential(
            nn.Linear(config.width, config.regressor), nn.ReLU(), nn.Linear(config.regressor, 1)
        )

    def forward(self, states: Tensor) -> Tensor:
        """float32 [N, S, hidden], as the last norm of the language model leaves them, to scores [N, 1]."""
        return self.fc(self.xlstm_pooler(self.map(states)).mean(1))
