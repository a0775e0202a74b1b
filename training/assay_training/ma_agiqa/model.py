"""MA-AGIQA as plain torch. Names of modules and parameters are those of published checkpoints."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from assay_training.ma_agiqa.config import SCALE
from assay_training.maniqa.branch import Branch
from assay_training.maniqa.config import BranchConfig


class MaAgiqa(Branch):
    """Three experts, two for what the language model holds and one for the patches, mixed by a gate."""

    def __init__(self, config: BranchConfig, language: int, gate: str = "linear") -> None:
        """language: numbers of a state. gate: of GATES."""
        super().__init__(config, SCALE)
        places = config.patches
        self.gate = gate
        self.fc4096_784_a2 = nn.Sequential(nn.Linear(language, places), nn.ReLU())  # semantic content
        self.fc4096_784_b2 = nn.Sequential(nn.Linear(language, places), nn.ReLU())  # coherence
        self.fc784_784 = nn.Linear(places, places)
        self.gating = nn.Linear(3 * places, 3)
        self.output_fc = nn.Linear(places, 1)

    def forward(self, images: Tensor, semantic: Tensor, coherence: Tensor) -> Tensor:
        """uint8 RGB [N, side, side, 3] and states [N, language] to scores [N]."""
        return self.judge(self.see(images), semantic, coherence)

    def see(self, images: Tensor) -> Tensor:
        """uint8 RGB [N, side, side, 3] to what the expert of the patches says, [N, P]."""
        scores, weights = self.patches(images)
        return self.fc784_784(scores * weights)

    def judge(self, seen: Tensor, semantic: Tensor, coherence: Tensor) -> Tensor:
        """What was seen [N, P] and states [N, language] to scores [N]."""
        said = [self.fc4096_784_a2(semantic), self.fc4096_784_b2(coherence), seen]
        shares = self.gating(torch.cat(said, 1))
        if self.gate == "sigmoid":
            shares = shares.sigmoid()
        mixed = sum(shares[:, place : place + 1] * one for place, one in enumerate(said))
        return self.output_fc(mixed)[:, 0]
