"""Linear layers with nothing non-linear between them, as several published heads are stored."""

from __future__ import annotations

import torch
from torch import Tensor, nn

DROPOUTS = (0.2, 0.2, 0.1)  # behind the first layers; they count in training only


class AffineLayers(nn.Module):
    """Names of its parameters are those of ImageReward's `mlp` and of LAION's aesthetic predictor."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for index in range(len(widths) - 1):
            layers.append(nn.Linear(widths[index], widths[index + 1]))
            if index < len(DROPOUTS):
                layers.append(nn.Dropout(DROPOUTS[index]))
        self.layers = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        """Features [..., first width] to [..., last width]."""
        return self.layers(features)

    @torch.no_grad()
    def collapsed(self) -> nn.Linear:
        """All layers as one, multiplied in float64."""
        width = self.layers[0].in_features
        wide = self.layers[0].weight.new_zeros((width + 1, width), dtype=torch.float64)
        wide[1:] = torch.eye(width)
        for layer in self.layers:  # follows zero and the unit vectors through the layers
            if isinstance(layer, nn.Linear):
                wide = wide @ layer.weight.double().T + layer.bias.double()
        single = nn.Linear(width, wide.shape[1])
        single.weight.copy_((wide[1:] - wide[:1]).T)
        single.bias.copy_(wide[0])
        return single
