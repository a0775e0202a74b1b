"""From an image to a score and a weight for each of its patches: what MANIQA and MA-AGIQA have in common.

Yang et al., arXiv 2204.08958. Names of modules and parameters are those of published checkpoints.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from assay_training.blip.vision import Block, PatchEmbedding, VisionConfig
from assay_training.maniqa.config import TAPS, BranchConfig
from assay_training.maniqa.windows import Stage, WindowAttention


class Branch(nn.Module):
    """Tokens of four blocks, attended to over channels and within windows in two stages.

    conv1 and conv2 are stored as convolutions of one pixel, which are linear layers to tokens.
    """

    def __init__(self, config: BranchConfig, scale: float) -> None:
        super().__init__()
        width = config.vision.width
        self.vit = Tapped(config.vision)
        self.tablock1 = nn.ModuleList(ChannelAttention(config.patches) for _ in range(config.tabs))
        self.conv1 = nn.Linear(len(TAPS) * width, width)
        self.swintransformer1 = Stage(config, width, scale)
        self.tablock2 = nn.ModuleList(ChannelAttention(config.patches) for _ in range(config.tabs))
        self.conv2 = nn.Linear(width, width // 2)
        self.swintransformer2 = Stage(config, width // 2, scale)
        self.fc_score = _read_out(width // 2, nn.ReLU())
        self.fc_weight = _read_out(width // 2, nn.Sigmoid())

    def patches(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 RGB [N, side, side, 3] to score (not negative) and weight (0..1) of patches, [N, P] both."""
        pixels = images.permute(0, 3, 1, 2).float() / 127.5 - 1
        x = self.vit(pixels).transpose(1, 2)
        for block in self.tablock1:
            x = block(x)
        x = self.swintransformer1(self.conv1(x.transpose(1, 2))).transpose(1, 2)
        for block in self.tablock2:
            x = block(x)
        x = self.swintransformer2(self.conv2(x.transpose(1, 2)))
        return self.fc_score(x)[..., 0], self.fc_weight(x)[..., 0]

    def freeze(self) -> None:
        """Makes what does not depend on the image a constant, for export."""
        for module in self.modules():
            if isinstance(module, WindowAttention):
                module.freeze()


class Tapped(nn.Module):
    """A vision transformer as far as the last block that is read; Dosovitskiy et al., arXiv 2010.11929."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.width))
        self.pos_embed = nn.Parameter(torch.zeros(1, config.tokens, config.width))
        self.patch_embed = PatchEmbedding(config)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))

    def forward(self, pixels: Tensor) -> Tensor:
        """[N, 3, side, side] in -1..1 to patches of all TAPS side by side [N, P, 4 * width]."""
        first = self.cls_token.expand(pixels.shape[0], -1, -1)
        x = torch.cat([first, self.patch_embed(pixels)], 1) + self.pos_embed
        found = []
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number in TAPS:
                found.append(x[:, 1:])
        return torch.cat(found, 2)


class ChannelAttention(nn.Module):
    """Channels attend to one another, each described by its values at all patches."""

    def __init__(self, patches: int) -> None:
        super().__init__()
        self.c_q, self.c_k, self.c_v = (nn.Linear(patches, patches) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, P] to the same.

        The result is turned to [P, C] and read as [C, P] without turning it back: a slip that published
        weights were trained with.
        """
        scores = (self.c_q(x) * x.shape[2] ** -0.5) @ self.c_k(x).transpose(1, 2)
        mixed = scores.softmax(-1) @ self.c_v(x)
        return mixed.transpose(1, 2).reshape(x.shape) + x


def _read_out(width: int, last: nn.Module) -> nn.Sequential:
    """Numbered as in training, where dropout has the third place."""
    return nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Identity(), nn.Linear(width, 1), last)
