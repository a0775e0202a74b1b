"""Reads a shipped graph back as a torch module, so that both can be compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from assay_training.tower.clip import MATRICES, SHAPE, Shape, Tower
from assay_training.tower.codebook import GROUP, Coded


def read_back(path: Path, shape: Shape = SHAPE) -> Tower:
    """The tower of a graph that `export_tower` wrote, with or without heads attached.

    Divisions by `reach` stay where the graph has them: inside the layer norms and the value rows, and for the
    perceptron's inner layer inside the second matrix.
    """
    graph = onnx.load(path).graph
    values = {value.name: numpy_helper.to_array(value) for value in graph.initializer}
    made_by = {output: node for node in graph.node for output in node.output}
    tower = Tower(shape)
    with torch.no_grad():
        _patches(tower, next(node for node in graph.node if node.op_type == "Conv"), made_by, values)
        norms = [node for node in graph.node if node.op_type == "LayerNormalization"]
        order = [tower.norm, *(norm for block in tower.blocks for norm in (block.ln1, block.ln2))]
        for norm, node in zip(order, norms, strict=True):
            norm.weight.copy_(_tensor(values[node.input[1]]))
            norm.bias.copy_(_tensor(values[node.input[2]]))
        names = [name.removesuffix(".codes") for name in values if name.startswith("product_")]
        names = list(dict.fromkeys(name.split(".")[0] for name in names))
        inputs = [made_by[node.input[0]] for node in graph.node if node.op_type == "QuantizeLinear"]
        for number, (name, source) in enumerate(zip(names, inputs, strict=True)):
            block, matrix = tower.blocks[number // len(MATRICES)], MATRICES[number % len(MATRICES)]
            layer = _layer(values, name)
            if matrix == "qkv":
                _unscaled(layer, block.heads)
            if matrix == "fc2":
                layer.weight.mul_(_tensor(values[source.input[1]]))
            setattr(block, matrix, layer)
    return tower.eval()


def _patches(tower: Tower, conv, made_by: dict, values: dict) -> None:
    codes = _tensor(values["patch.codes"].astype(np.float32))
    tower.patch.weight.copy_(codes * _tensor(values[made_by[conv.input[1]].input[1]]))
    tower.patch.bias.copy_(_tensor(values[conv.input[2]]))
    tower.position.copy_(_tensor(values["position.half"].astype(np.float32)))


def _layer(values: dict, name: str) -> nn.Linear:
    scale, bias = (values[f"{name}.{part}.half"].astype(np.float32) for part in ("scale", "bias"))
    codes = values[f"{name}.codes"].reshape(-1, len(scale)).T
    book = np.stack([values[f"{name}.book.{member}"] for member in range(GROUP)], 1)
    weight = Coded(codes, book, scale).matrix()
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.weight.copy_(_tensor(weight))
    layer.bias.copy_(_tensor(bias))
    return layer


def _unscaled(layer: nn.Linear, heads: int) -> None:
    """Takes the division of the scores out of the query rows again: torch's attention divides by itself."""
    width = layer.out_features // 3
    for value in (layer.weight, layer.bias):
        value[:width] *= (width // heads) ** 0.5


def _tensor(value: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(value, np.float32))
