"""EfficientNet-Lite0 with pooled statistics and a linear head (about 3.4 million parameters).

EfficientNet: Tan and Le, arXiv 1905.11946; the Lite variants drop squeeze-and-excitation and swish for ReLU6.
Mean and standard deviation pooled at several depths, as style statistics are: quality shows in texture and
noise (early maps) as well as in content (late maps).
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from assay_training.tflite import TfliteError, read_operators

SIDE = 320  # input side in pixels
# (expansion, channels, kernel, stride), one entry per block; table 1 of the paper with depth 1.0
BLOCKS = (
    [(1, 16, 3, 1)]
    + [(6, 24, 3, 2), (6, 24, 3, 1)]
    + [(6, 40, 5, 2), (6, 40, 5, 1)]
    + [(6, 80, 3, 2), (6, 80, 3, 1), (6, 80, 3, 1)]
    + [(6, 112, 5, 1)] * 3
    + [(6, 192, 5, 2)]
    + [(6, 192, 5, 1)] * 3
    + [(6, 320, 3, 1)]
)
FROZEN = 5  # the stem and this many blocks keep their ImageNet weights; their output is 40 x 40 x 40
POOLED = (0, 2, 4, 7, 10, 14)  # blocks whose output is pooled, beside the head's
EARLY_STATS = 2 * (16 + 24 + 40)
LATE_STATS = 2 * (80 + 112 + 192 + 1280)
STATS = EARLY_STATS + LATE_STATS
ASPECTS = ("quality", "alignment")


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """(before, after) zeros along one axis as TensorFlow pads: the output has ceil(size / stride) entries."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class SameConv(nn.Conv2d):
    """Convolution with TensorFlow SAME padding: at stride 2 an odd extra zero goes right and bottom."""

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        top, bottom = same_padding(x.shape[2], kernel, stride)
        left, right = same_padding(x.shape[3], kernel, stride)
        if top == bottom and left == right:
            return F.conv2d(x, self.weight, self.bias, stride, (top, left), 1, self.groups)
        padded = F.pad(x, (left, right, top, bottom))
        return F.conv2d(padded, self.weight, self.bias, stride, 0, 1, self.groups)


class Block(nn.Module):
    """Inverted residual: 1x1 expansion, depthwise, linear 1x1 projection (MobileNetV2, 1801.04381)."""

    def __init__(self, inputs: int, expansion: int, outputs: int, kernel: int, stride: int) -> None:
        super().__init__()
        width = inputs * expansion
        self.expand = SameConv(inputs, width, 1) if expansion > 1 else None
        self.depthwise = SameConv(width, width, kernel, stride, groups=width)
        self.project = SameConv(width, outputs, 1)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.expand is None else F.relu6(self.expand(x))
        y = self.project(F.relu6(self.depthwise(y)))
        return x + y if self.residual else y


class Backbone(nn.Module):
    """EfficientNet-Lite0 in two halves: `early` stays frozen during training, `late` is fine-tuned."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = SameConv(3, 32, 3, 2)
        widths = [32] + [block[1] for block in BLOCKS]
        self.blocks = nn.ModuleList(
            Block(width, *block) for width, block in zip(widths, BLOCKS, strict=False)
        )
        self.head = SameConv(widths[-1], 1280, 1)

    def early(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images [N, 3, 320, 320] in -1..1 to a map [N, 40, 40, 40] and pooled statistics [N, 160]."""
        x = F.relu6(self.stem(images))
        return self._run(x, range(FROZEN))

    def late(self, x: Tensor) -> Tensor:
        """Map [N, 40, H, W] (whole or cropped) to pooled statistics [N, 3328]."""
        x, stats = self._run(x, range(FROZEN, len(BLOCKS)))
        return torch.cat([stats, pooled(F.relu6(self.head(x)))], 1)

    def _run(self, x: Tensor, indices: range) -> tuple[Tensor, Tensor]:
        stats = []
        for index in indices:
            x = self.blocks[index](x)
            if index in POOLED:
                stats.append(pooled(x))
        return x, torch.cat(stats, 1)

    def convolutions(self) -> list[SameConv]:
        """All convolutions in execution order, which is also their order in the tflite file."""
        return [module for module in self.modules() if isinstance(module, SameConv)]

    def load_tflite(self, path: Path) -> None:
        """Takes the dequantised weights of a tflite file. Raises TfliteError if it is another net."""
        found = [op for op in read_operators(path) if op.kind in ("CONV_2D", "DEPTHWISE_CONV_2D")]
        wanted = self.convolutions()
        if len(found) != len(wanted):
            raise TfliteError(
                f"{path}: expected {len(wanted)} convolutions of EfficientNet-Lite0, found {len(found)}"
            )
        with torch.no_grad():
            for number, (conv, op) in enumerate(zip(wanted, found, strict=True)):
                _load(conv, op, f"{path}: convolution {number}")


def _load(conv: SameConv, op, where: str) -> None:
    weight = torch.from_numpy(op.inputs[1].dequantised())
    # tflite keeps [out, h, w, in] for dense and [1, h, w, out] for depthwise kernels
    weight = weight.permute(3, 0, 1, 2) if op.kind == "DEPTHWISE_CONV_2D" else weight.permute(0, 3, 1, 2)
    if weight.shape != conv.weight.shape:
        raise TfliteError(f"{where}: expected shape {tuple(conv.weight.shape)}, found {tuple(weight.shape)}")
    conv.weight.copy_(weight)
    conv.bias.copy_(torch.from_numpy(op.inputs[2].dequantised()))


def pooled(x: Tensor) -> Tensor:
    """[N, C, H, W] to [N, 2C]: each channel's mean, then its population standard deviation."""
    mean = x.mean((2, 3))
    variance = (x - mean[:, :, None, None]).square().mean((2, 3))
    return torch.cat([mean, (variance + 1e-6).sqrt()], 1)


class LiteNet(nn.Module):
    """Backbone, standardisation of the statistics, and per aspect a mean and a spread, both in MOS units."""

    FLOOR = 0.05  # smallest spread

    def __init__(self) -> None:
        super().__init__()
        self.backbone = Backbone()
        self.register_buffer("centre", torch.zeros(STATS))
        self.register_buffer("scale", torch.ones(STATS))
        self.mean = nn.Linear(STATS, len(ASPECTS))
        self.spread = nn.Linear(STATS, len(ASPECTS))
        self.dropout = nn.Dropout(0.2)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images [N, 3, 320, 320] in -1..1 to means and spreads, each [N, 2] in the order of ASPECTS."""
        early_map, early_stats = self.backbone.early(images)
        return self.from_early(early_map, early_stats)

    def from_early(self, early_map: Tensor, early_stats: Tensor) -> tuple[Tensor, Tensor]:
        """The same from the frozen half's (cached) output; the map may be a crop."""
        return self.heads(self.features(early_map, early_stats))

    def features(self, early_map: Tensor, early_stats: Tensor) -> Tensor:
        """Standardised statistics [N, 3488], with dropout while training."""
        stats = torch.cat([early_stats, self.backbone.late(early_map)], 1)
        return self.dropout((stats - self.centre) / self.scale)

    def heads(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Features [N, 3488] to means and spreads, each [N, 2]."""
        return self.mean(features), self.spreads(features)

    def spreads(self, features: Tensor) -> Tensor:
        """Features [N, 3488] to expected absolute errors [N, 2], at least FLOOR."""
        return F.softplus(self.spread(features)) + self.FLOOR
