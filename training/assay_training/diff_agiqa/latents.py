"""Image to noisy latents: visual prompter, VAE encoder, noise. Names of parameters are those of diffusers.

Upstream draws from the posterior and adds noise, both without a seed. Here the posterior's mean is taken and
the noise is fixed, so that an image has one score.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from assay_training.clip.model import attend
from assay_training.diff_agiqa.blocks import Resnet
from assay_training.diff_agiqa.config import BETAS, SCALING, STEPS, TIMESTEP, Config

EPSILON = 1e-6
DEAD = ("decoder.*", "post_quant_conv.*")


class Prompter(nn.Module):
    """Adds two convolutions of the image to it. Those keys of `meta_net` have no effect upstream."""

    def __init__(self) -> None:
        super().__init__()
        self.meta_net_2 = nn.Sequential(
            nn.Conv2d(3, 6, 5, padding=2), nn.ReLU(), nn.Conv2d(6, 3, 5, padding=2)
        )

    def forward(self, x: Tensor) -> Tensor:
        """[N, 3, H, W] in -1..1 to the same, not cut to it."""
        return x + self.meta_net_2(x)


class Vae(nn.Module):
    """The encoder; gives the mean of the posterior, not scaled."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.encoder = Encoder(config)
        self.quant_conv = nn.Conv2d(2 * config.latent, 2 * config.latent, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[N, 3, side, side] in -1..1 to [N, latent, side / 8, side / 8]."""
        mean, _ = self.quant_conv(self.encoder(x)).chunk(2, 1)
        return mean


class Encoder(nn.Module):
    """Four levels of resnets, three of which halve the sides, and attention at the end."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        first, *_, last = widths = config.vae_widths
        self.conv_in = nn.Conv2d(3, first, 3, padding=1)
        self.down_blocks = nn.ModuleList(
            [
                Level(inner, outer, config.groups, halves=number < len(widths) - 1)
                for number, (inner, outer) in enumerate(zip((first, *widths), widths, strict=False))
            ]
        )
        self.mid_block = Middle(last, config.groups)
        self.conv_norm_out = nn.GroupNorm(config.groups, last, EPSILON)
        self.conv_out = nn.Conv2d(last, 2 * config.latent, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """[N, 3, side, side] to [N, 2 latent, side / 8, side / 8]."""
        x = self.conv_in(x)
        for level in self.down_blocks:
            x = level(x)
        return self.conv_out(F.silu(self.conv_norm_out(self.mid_block(x))))


class Level(nn.Module):
    """Two resnets, and half the sides."""

    def __init__(self, inner: int, outer: int, groups: int, halves: bool) -> None:
        super().__init__()
        self.resnets = nn.ModuleList(
            [Resnet(inner, outer, groups, EPSILON), Resnet(outer, outer, groups, EPSILON)]
        )
        self.downsamplers = nn.ModuleList([Halve(outer)] * halves)

    def forward(self, x: Tensor) -> Tensor:
        """[N, inner, H, W] to [N, outer, …]."""
        for part in (*self.resnets, *self.downsamplers):
            x = part(x)
        return x


class Halve(nn.Module):
    """A convolution over every second pixel, filled up with zeros at the right and below alone."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, 2)

    def forward(self, x: Tensor) -> Tensor:
        """[N, width, H, W] to [N, width, H / 2, W / 2]."""
        return self.conv(F.pad(x, (0, 1, 0, 1)))


class Middle(nn.Module):
    """Resnet, attention with one head, resnet."""

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.resnets = nn.ModuleList([Resnet(width, width, groups, EPSILON) for _ in range(2)])
        self.attentions = nn.ModuleList([PixelAttention(width, groups)])

    def forward(self, x: Tensor) -> Tensor:
        """[N, width, H, W] to the same."""
        return self.resnets[1](self.attentions[0](self.resnets[0](x)))


class PixelAttention(nn.Module):
    """Attention of all pixels to all, beside a shortcut."""

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.group_norm = nn.GroupNorm(groups, width, EPSILON)
        self.to_q, self.to_k, self.to_v = (nn.Linear(width, width) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(width, width)])

    def forward(self, x: Tensor) -> Tensor:
        """[N, width, H, W] to the same."""
        tokens = self.group_norm(x).flatten(2).transpose(1, 2)
        found = self.to_out[0](attend(self.to_q(tokens), self.to_k(tokens), self.to_v(tokens)))
        return x + found.transpose(1, 2).unflatten(2, x.shape[2:])


class Latents(nn.Module):
    """Image to one noisy latent for each of the given noises."""

    def __init__(self, prompter: Prompter, vae: Vae, noises: Tensor) -> None:
        """noises: [K, latent, S, S]."""
        super().__init__()
        self.prompter, self.vae = prompter, vae
        self.kept, share = shares()
        self.register_buffer("noise", noises * share)

    def forward(self, image: Tensor) -> Tensor:
        """uint8 RGB [N, side, side, 3] to [N, K, latent, S, S]."""
        x = self.prompter(image.float().movedim(-1, 1) / 255 * 2 - 1)
        return self.vae(x)[:, None] * (SCALING * self.kept) + self.noise


def shares() -> tuple[float, float]:
    """How much of the latent, and how much noise, there is at TIMESTEP (Ho et al., arXiv 2006.11239)."""
    betas = torch.linspace(BETAS[0] ** 0.5, BETAS[1] ** 0.5, STEPS, dtype=torch.float64) ** 2
    kept = float((1 - betas)[: TIMESTEP + 1].prod())
    return kept**0.5, (1 - kept) ** 0.5


def fixed_noises(count: int, config: Config, first: int = 0) -> Tensor:
    """Noises number `first` and up, [count, latent, S, S]: the same on every machine, for all time.

    By Box and Muller from the raw bits of PCG64, whose stream NumPy guarantees.
    """
    shape = (config.latent, config.latent_side, config.latent_side)
    found = [_normal(int(np.prod(shape)), number) for number in range(first, first + count)]
    return torch.from_numpy(np.stack(found).reshape(count, *shape).astype(np.float32))


def _normal(count: int, seed: int) -> np.ndarray:
    """[count], an even number."""
    bits = np.random.PCG64(seed).random_raw(count) >> np.uint64(11)
    one, two = (bits.astype(np.float64) + 0.5).reshape(2, -1) / 2**53
    radius, angle = np.sqrt(-2 * np.log(one)), 2 * np.pi * two
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])
