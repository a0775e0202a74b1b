"""The stack of xLSTM blocks (Beck et al. 2024, arXiv 2405.04517) as the package `xlstm` 1.0.6 computes it.

Names of modules and parameters are those of its state dicts. All norms store their gain less 1. Nothing is
ever dropped out.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from assay_training.m3_agiqa.config import Config

EPSILON = 1e-5  # of norms
LEAST = 1e-6  # added to what a matrix memory is divided by
NEVER = -1e9  # logarithm of the memory before the first position
GATES = 4  # input, forget, value, output
Step = Callable[[tuple[Tensor, ...], Tensor], tuple[tuple[Tensor, ...], Tensor]]


class Norm(nn.Module):
    """Layer norm without a bias over the last dimension, or over each head's part of it."""

    def __init__(self, width: int, heads: int = 1) -> None:
        super().__init__()
        self.heads = heads
        self.weight = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        """[N, S, width] to the same."""
        parts = x.unflatten(-1, (self.heads, -1))
        return F.layer_norm(parts, parts.shape[-1:], eps=EPSILON).flatten(-2) * (1 + self.weight)


class CausalConv(nn.Module):
    """A convolution of each channel alone over the last positions."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(width, width, kernel, groups=width)

    def forward(self, x: Tensor) -> Tensor:
        """[N, S, width] to the same."""
        before = self.conv.kernel_size[0] - 1
        return self.conv(F.pad(x.mT, (before, 0))).mT


class Blockwise(nn.Module):
    """A linear layer of blocks that stand side by side, without a bias."""

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()
        size = width // blocks
        self.weight = nn.Parameter(torch.zeros(blocks, size, size))

    def forward(self, x: Tensor) -> Tensor:
        """[N, S, width] to the same."""
        parts = x.unflatten(-1, (self.weight.shape[0], 1, -1))
        return (parts @ self.weight.mT).flatten(-3)


class MatrixCell(nn.Module):
    """Memory that is a matrix a head, in the form that sees all positions at once."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.igate = nn.Linear(3 * width, heads)
        self.fgate = nn.Linear(3 * width, heads)
        self.outnorm = Norm(width, heads)

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """[N, S, width] each to the same."""
        joined = torch.cat([q, k, v], -1)
        entering = self.igate(joined).mT[..., None, :]  # [N, heads, 1, S], by the position that is remembered
        kept = F.logsigmoid(self.fgate(joined)).mT.cumsum(-1)  # [N, heads, S]
        weights = kept[..., :, None] - kept[..., None, :] + entering  # logarithms
        places = torch.arange(weights.shape[-1], device=q.device)
        weights = torch.where(places[:, None] >= places, weights, NEVER)
        most = weights.amax(-1, keepdim=True)
        q, k, v = (x.unflatten(-1, (self.heads, -1)).transpose(1, 2) for x in (q, k, v))
        mixed = (q @ (k * k.shape[-1] ** -0.5).mT) * (weights - most).exp()
        norm = torch.maximum(mixed.sum(-1, keepdim=True).abs(), (-most).exp())
        found = (mixed / (norm + LEAST)) @ v
        return self.outnorm(found.transpose(1, 2).flatten(-2))


class MatrixLayer(nn.Module):
    """The layer around a matrix memory."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        inner = config.expansion * config.width
        self.proj_up = nn.Linear(config.width, 2 * inner, bias=False)
        self.conv1d = CausalConv(inner, config.kernel)
        for name in ("q_proj", "k_proj", "v_proj"):
            setattr(self, name, Blockwise(inner, inner // config.block))
        self.mlstm_cell = MatrixCell(inner, config.heads)
        self.learnable_skip = nn.Parameter(torch.ones(inner))
        self.proj_down = nn.Linear(inner, config.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[N, S, width] to the same."""
        seen, gate = self.proj_up(x).chunk(2, -1)
        near = F.silu(self.conv1d(seen))
        found = self.mlstm_cell(self.q_proj(near), self.k_proj(near), self.v_proj(seen))
        return self.proj_down((found + self.learnable_skip * near) * F.silu(gate))


class ScalarCell(nn.Module):
    """Memory that is a vector a head, one position after the other."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        size = width // heads
        self.heads = heads
        self._recurrent_kernel_ = nn.Parameter(
            torch.zeros(heads, size, GATES * size)
        )  # as the CUDA backend's
        self._bias_ = nn.Parameter(torch.zeros(GATES * width))  # by head, then by gate

    def forward(self, gates: Tensor) -> Tensor:
        """Four gates of each head [N, S, heads, 4 size] to [N, S, heads size]."""
        rows = gates.permute(1, 2, 0, 3).contiguous()  # [S, heads, N, 4 size]
        recurrent, bias = self._recurrent_kernel_, self._bias_.view(self.heads, 1, -1)
        size = recurrent.shape[1]

        def step(state: tuple[Tensor, ...], row: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
            said, cell, norm, most = state
            enter, forget, value, out = (row + said @ recurrent + bias).chunk(GATES, -1)
            kept = most + F.logsigmoid(forget)
            now = torch.maximum(enter, kept)
            entering, keeping = (enter - now).exp(), (kept - now).exp()
            cell = keeping * cell + entering * value.tanh()
            norm = keeping * norm + entering
            said = out.sigmoid() * cell / norm
            return (said, cell, norm, now), said.clone()

        empty = [rows.new_zeros(self.heads, gates.shape[0], size) for _ in range(3)]
        run = as_scan if torch.compiler.is_exporting() else in_turn
        found = run(step, (*empty, empty[0] + NEVER), rows)  # [S, heads, N, size]
        return found.permute(2, 0, 1, 3).flatten(-2)


def in_turn(step: Step, state: tuple[Tensor, ...], rows: Tensor) -> Tensor:
    """What `step` gives at each of the rows, stacked."""
    found = []
    for row in rows:
        state, said = step(state, row)
        found.append(said)
    return torch.stack(found)


def as_scan(step: Step, state: tuple[Tensor, ...], rows: Tensor) -> Tensor:
    """The same as one operator, which ONNX has, too; torch itself runs it slowly."""
    from torch._higher_order_ops.scan import scan  # torch's way to say it; there is no public name yet

    return scan(step, state, rows, dim=0)[1]


class ScalarLayer(nn.Module):
    """The layer around a scalar memory."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        width, heads = config.width, config.heads
        self.conv1d = CausalConv(width, config.kernel)
        for name in ("fgate", "igate", "zgate", "ogate"):
            setattr(self, name, Blockwise(width, heads))
        self.slstm_cell = ScalarCell(width, heads)
        self.group_norm = Norm(width, heads)

    def forward(self, x: Tensor) -> Tensor:
        """[N, S, width] to the same. Upstream's names are swapped: `fgate` lets in, `igate` keeps."""
        near = F.silu(self.conv1d(x))
        gates = (self.fgate(near), self.igate(near), self.zgate(x), self.ogate(x))
        heads = self.slstm_cell.heads
        joined = torch.cat([gate.unflatten(-1, (heads, -1)) for gate in gates], -1)
        return self.group_norm(self.slstm_cell(joined))


class FeedForward(nn.Module):
    """One half of a projection lets through the other."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.proj_up = nn.Linear(config.width, 2 * config.feed_forward, bias=False)
        self.proj_down = nn.Linear(config.feed_forward, config.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[N, S, width] to the same."""
        gate, value = self.proj_up(x).chunk(2, -1)
        return self.proj_down(F.gelu(gate) * value)


class Block(nn.Module):
    """A memory with its norm; behind a scalar one there is a feed-forward layer."""

    def __init__(self, config: Config, scalar: bool) -> None:
        super().__init__()
        self.xlstm_norm = Norm(config.width)
        self.xlstm = ScalarLayer(config) if scalar else MatrixLayer(config)
        self.ffn_norm = Norm(config.width) if scalar else None
        self.ffn = FeedForward(config) if scalar else None

    def forward(self, x: Tensor) -> Tensor:
        """[N, S, width] to the same."""
        x = x + self.xlstm(self.xlstm_norm(x))
        return x + self.ffn(self.ffn_norm(x)) if self.ffn else x


class Stack(nn.Module):
    """All blocks, and a norm."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(config, i in config.scalar) for i in range(config.blocks))
        self.post_blocks_norm = Norm(config.width)

    def forward(self, x: Tensor) -> Tensor:
        """[N, S, width] to the same."""
        for block in self.blocks:
            x = block(x)
        return self.post_blocks_norm(x)
