"""MANIQA as plain torch."""

from __future__ import annotations

from torch import Tensor

from assay_training.maniqa.branch import Branch


class Maniqa(Branch):
    """The branch, and the mean of its patches' scores by their weights."""

    def forward(self, images: Tensor) -> Tensor:
        """uint8 RGB [N, side, side, 3] to scores [N], on the scale that it was trained on."""
        scores, weights = self.patches(images)
        return (scores * weights).sum(1) / weights.sum(1)
