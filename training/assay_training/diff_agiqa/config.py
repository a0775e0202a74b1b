"""Sizes of Diff-AGIQA, and the constants with which Stable Diffusion 1.5 is run."""

from __future__ import annotations

from dataclasses import dataclass, field

from assay_training.clip.model import ClipConfig

TIMESTEP = 51  # of 1000: what img2img with strength 0.05 begins with
SCALING = 0.18215  # of latents
BETAS = (0.00085, 0.012)  # first and last; their square roots rise evenly
STEPS = 1000
KERNELS = (1, 3, 5, 7)  # of the pyramid's branches
SHORT_WORDS = 70  # texts of more words between single spaces are read in chunks
CHUNKS = 4  # of ClipConfig.context tokens that a prompt may fill


@dataclass(frozen=True)
class Config:
    """The defaults are Stable Diffusion 1.5's and the published head's."""

    side: int = 512  # of the image in pixels
    widths: tuple[int, ...] = (320, 640, 1280, 1280)  # of the UNet's levels
    heads: int = 8
    groups: int = 32  # of every group norm
    vae_widths: tuple[int, ...] = (128, 256, 512, 512)
    latent: int = 4
    text: ClipConfig = field(
        default_factory=lambda: ClipConfig(text_width=768, text_layers=12, text_heads=12)
    )
    branch: int = 256  # channels of each branch of the pyramid
    fused: tuple[int, int, int] = (512, 256, 128)
    regression: tuple[int, int] = (256, 128)

    @property
    def latent_side(self) -> int:
        """Of latents: three levels of the VAE halve it."""
        return self.side // 8

    @property
    def map_side(self) -> int:
        """Of the maps that the head looks at."""
        return self.latent_side // 2

    @property
    def taps(self) -> tuple[tuple[int, int], ...]:
        """Channels of the five activations, and how often each of their rows is repeated for the head."""
        low, mid = 4 * self.widths[3], 4 * self.widths[2]
        return (low, 4), (mid, 2), (mid, 2), (mid, 2), (4 * self.widths[1], 1)

    @property
    def context(self) -> int:
        """Tokens of a prompt at most."""
        return CHUNKS * self.text.context


FULL = Config()
TINY = Config(
    side=128, widths=(16, 24, 32, 32), heads=2, groups=4, vae_widths=(8, 8, 16, 16), branch=16,
    text=ClipConfig(text_width=32, text_layers=2, text_heads=2, context=12, vocabulary=600),
    fused=(32, 16, 8), regression=(16, 8),
)  # fmt: skip
