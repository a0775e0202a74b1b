"""The UNet of Stable Diffusion 1.5 up to the last activation that is read, at one fixed time.

What comes after is not built: the last layer of up_blocks.2.attentions.0, the rest of up_blocks.2, all of
up_blocks.3 and the output. Names of parameters are those of diffusers.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from assay_training.diff_agiqa.blocks import Resnet, Transformer
from assay_training.diff_agiqa.config import TIMESTEP, Config

EPSILON = 1e-5
DEAD = (
    "up_blocks.2.attentions.0.proj_out.*", "up_blocks.2.attentions.0.transformer_blocks.0.ff.net.2.*",
    "up_blocks.2.attentions.[12].*", "up_blocks.2.resnets.[12].*", "up_blocks.2.upsamplers.*",
    "up_blocks.3.*", "conv_norm_out.*", "conv_out.*",
)  # fmt: skip


class Unet(nn.Module):
    """Noisy latents and a context to the activations of five feed-forward layers."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        one, two, three, four = config.widths
        self.conv_in = nn.Conv2d(config.latent, one, 3, padding=1)
        self.time_embedding = TimeEmbedding(one)
        self.down_blocks = nn.ModuleList(
            [
                Down(config, one, one),
                Down(config, one, two),
                Down(config, two, three),
                Down(config, three, four, attends=False, halves=False),
            ]
        )
        self.mid_block = Middle(config)
        self.up_blocks = nn.ModuleList(
            [
                Up(config, four, (four + four, four + four, four + three), transformers=0),
                Up(config, three, (four + three, three + three, three + two), transformers=3),
                Up(config, two, (three + two,), transformers=1, doubles=False),
            ]
        )

    def forward(self, latents: Tensor, context: Tensor, mask: Tensor | None) -> tuple[Tensor, ...]:
        """[N, 4, S, S], context [N, T, …], mask [N, 1, 1, T] to five [N, H W, channels], see Config.taps."""
        x = self.conv_in(latents)
        skips = [x]
        for block in self.down_blocks:
            x = block(x, context, mask, skips)
        x, first = self.mid_block(x, context, mask)
        taps = [first]
        for block in self.up_blocks:
            x = block(x, context, mask, skips, taps)
        return tuple(taps)

    @torch.no_grad()
    def fold_time(self) -> Unet:
        """Puts the time, which is always the same, into biases; the net cannot be used before."""
        embedding = self.time_embedding(wave(TIMESTEP, self.config.widths[0]))
        for module in self.modules():
            if isinstance(module, Resnet):
                module.fold_time(embedding)
        self.time_embedding = None
        return self


def wave(time: float, width: int) -> Tensor:
    """Cosines and sines of a time at falling frequencies, [width] (Vaswani et al., arXiv 1706.03762)."""
    half = width // 2
    angles = time * torch.exp(-math.log(10000) * torch.arange(half, dtype=torch.float32) / half)
    return torch.cat([angles.cos(), angles.sin()])


class TimeEmbedding(nn.Module):
    """What all resnets are told of the time."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear_1, self.linear_2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, 4 * width)

    def forward(self, x: Tensor) -> Tensor:
        """[width] to [4 width]."""
        return self.linear_2(F.silu(self.linear_1(x)))


def _resnet(config: Config, inner: int, outer: int) -> Resnet:
    return Resnet(inner, outer, config.groups, EPSILON, 4 * config.widths[0])


def _transformer(config: Config, width: int, whole: bool = True) -> Transformer:
    return Transformer(width, config.heads, config.text.text_width, config.groups, whole)


class Resize(nn.Module):
    """A convolution that halves the sides, or one behind their doubling."""

    def __init__(self, width: int, doubles: bool) -> None:
        super().__init__()
        self.doubles = doubles
        self.conv = nn.Conv2d(width, width, 3, 1 if doubles else 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[N, width, H, W] to the same with other sides."""
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest") if self.doubles else x)


class Down(nn.Module):
    """Two resnets, each with a transformer or without."""

    def __init__(
        self, config: Config, inner: int, outer: int, attends: bool = True, halves: bool = True
    ) -> None:
        super().__init__()
        self.resnets = nn.ModuleList([_resnet(config, inner, outer), _resnet(config, outer, outer)])
        self.attentions = nn.ModuleList([_transformer(config, outer) for _ in range(2 * attends)])
        self.downsamplers = nn.ModuleList([Resize(outer, doubles=False)] * halves)

    def forward(self, x: Tensor, context: Tensor, mask: Tensor | None, skips: list[Tensor]) -> Tensor:
        """Every map in between is put into `skips`."""
        for number, resnet in enumerate(self.resnets):
            x = resnet(x)
            if len(self.attentions):
                x, _ = self.attentions[number](x, context, mask)
            skips.append(x)
        for halve in self.downsamplers:
            x = halve(x)
            skips.append(x)
        return x


class Middle(nn.Module):
    """Resnet, transformer, resnet."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        width = config.widths[3]
        self.resnets = nn.ModuleList([_resnet(config, width, width) for _ in range(2)])
        self.attentions = nn.ModuleList([_transformer(config, width)])

    def forward(self, x: Tensor, context: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """A map to the next one, and the activations inside."""
        x, inside = self.attentions[0](self.resnets[0](x), context, mask)
        return self.resnets[1](x), inside


class Up(nn.Module):
    """Resnets on maps joined with those of the way down; the last one is not built to its end."""

    def __init__(
        self, config: Config, width: int, joined: tuple[int, ...], transformers: int, doubles: bool = True
    ) -> None:
        super().__init__()
        self.resnets = nn.ModuleList([_resnet(config, inner, width) for inner in joined])
        self.attentions = nn.ModuleList(
            [_transformer(config, width, whole=doubles) for _ in range(transformers)]
        )
        self.upsamplers = nn.ModuleList([Resize(width, doubles=True)] * doubles)

    def forward(
        self, x: Tensor, context: Tensor, mask: Tensor | None, skips: list[Tensor], taps: list[Tensor]
    ) -> Tensor:
        """Takes maps off `skips`, and puts activations into `taps`."""
        for number, resnet in enumerate(self.resnets):
            x = resnet(torch.cat([x, skips.pop()], 1))
            if len(self.attentions):
                x, inside = self.attentions[number](x, context, mask)
                taps.append(inside)
        for double in self.upsamplers:
            x = double(x)
        return x
