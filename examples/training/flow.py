"""A small flow model in plain torch, which learns to draw the pictures.

Rectified flow: x_t = (1 - t) picture + t noise, with times that run from 1 to 0. The network says what the picture is;
the velocity noise - picture follows from that.
"""

import math
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PATCH = 4
CHANNELS = 3 * PATCH**2
#: The last time that is asked about, before 0.
LEAST_TIME = 0.1


class Block(nn.Module):
    """Two convolutions, told time and kind of picture between them."""

    def __init__(self, width: int, told: int):
        super().__init__()
        self.first, self.second = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        self.norms = nn.ModuleList(nn.GroupNorm(8, width) for _ in range(2))
        self.tell = nn.Linear(told, 2 * width)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        scale, shift = self.tell(told)[:, :, None, None].chunk(2, 1)
        hidden = self.first(F.silu(self.norms[0](x)))
        return x + self.second(F.silu(self.norms[1](hidden) * (1 + scale) + shift))


class Flow(nn.Module):
    """Velocity of pictures [N, 48, 16, 16] (patches of 64 x 64) at times [N], for kinds [N]."""

    def __init__(self, kinds: int, width: int = 32, told: int = 64):
        super().__init__()
        self.kinds = nn.Embedding(kinds, told)
        self.time = nn.Sequential(nn.Linear(32, told), nn.SiLU(), nn.Linear(told, told))
        self.enter = nn.Conv2d(CHANNELS, width, 3, padding=1)
        self.fine, self.fine_again = Block(width, told), Block(width, told)
        self.down = nn.Conv2d(width, 2 * width, 2, stride=2)
        self.coarse = nn.ModuleList(Block(2 * width, told) for _ in range(3))
        self.place = nn.Parameter(torch.zeros(1, 2 * width, 8, 8))
        self.up = nn.ConvTranspose2d(2 * width, width, 2, stride=2)
        self.leave = nn.Conv2d(width, CHANNELS, 3, padding=1)

    def adapters(self) -> list[nn.Parameter]:
        """The few parameters by which blocks are told time and kind: enough to fine-tune, and little to spoil."""
        for name, parameter in self.named_parameters():
            parameter.requires_grad = ".tell." in name or name.startswith("kinds")
        return [parameter for parameter in self.parameters() if parameter.requires_grad]

    def forward(self, x: Tensor, times: Tensor, kinds: Tensor) -> Tensor:
        rates = torch.exp(torch.linspace(0, math.log(1000), 16))
        angles = times[:, None] * rates
        told = F.silu(self.time(torch.cat([angles.sin(), angles.cos()], 1)) + self.kinds(kinds))
        fine = self.fine(self.enter(x), told)
        coarse = self.down(fine) + self.place
        for block in self.coarse:
            coarse = block(coarse, told)
        picture = self.leave(self.fine_again(fine + self.up(coarse), told))
        return (x - picture) / times[:, None, None, None]


def to_patches(pictures: Tensor) -> Tensor:
    """[N, 3, 64, 64] 0..1 to [N, 48, 16, 16] -1..1."""
    return F.pixel_unshuffle(pictures * 2 - 1, PATCH)


def to_pictures(x: Tensor) -> Tensor:
    return ((F.pixel_shuffle(x, PATCH) + 1) / 2).clamp(0, 1)


def flow_loss(model: Flow, pictures: Tensor, kinds: Tensor) -> Tensor:
    """What pretraining makes small: the squared error of the velocity at random times."""
    target = to_patches(pictures)
    noise = torch.randn_like(target)
    times = torch.sigmoid(torch.randn(len(target))).clamp(min=LEAST_TIME)
    t = times[:, None, None, None]
    return F.mse_loss(model((1 - t) * target + t * noise, times, kinds), noise - target)


def pretrained(path: Path, steps: int, pictures: Tensor, kinds: Tensor) -> Flow:
    """The model that draws the pictures, from the file if it is there, else trained and kept in it."""
    torch.manual_seed(0)
    model = Flow(int(kinds.max()) + 1)
    if path.exists():
        model.load_state_dict(torch.load(path, weights_only=True))
        return model
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, steps)
    for _ in range(steps):
        batch = torch.randint(len(pictures), (32,))
        loss = flow_loss(model, pictures[batch], kinds[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    torch.save(model.state_dict(), path)
    return model
