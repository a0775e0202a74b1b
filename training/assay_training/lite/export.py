"""Writes a trained net as ONNX: uint8 [N, 320, 320, 3] in, quality [N, 2] = (mean, spread) out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from assay_training.graph import Graph
from assay_training.lite.model import ASPECTS, POOLED, SIDE, Block, LiteNet, SameConv, same_padding
from assay_training.quantise import match_mean, quantise

# the first layers stay float: few channels, large maps, and most of what quantising costs
FLOAT_CONVOLUTIONS = (
    "stem",
    "block0.depthwise",
    "block0.project",
    "block1.expand",
    "block1.depthwise",
    "block1.project",
)


def int8(source: Path, target: Path, images: list[np.ndarray]) -> float:
    """Quantises an exported graph, calibrated on uint8 images [1, 320, 320, 3]; returns the mean shift."""
    names = [name for name, _ in named_convolutions(LiteNet()) if not name.endswith("depthwise")]
    dense = [f"{name}.weight" for name in names if name not in FLOAT_CONVOLUTIONS]
    quantise(source, target, "image", images, FLOAT_CONVOLUTIONS, dense)
    return match_mean(source, target, "image", "quality.bias", images)


def export(net: LiteNet, path: Path, aspects: tuple[str, ...] = ("quality",)) -> None:
    """Writes the fp32 graph; normalisation, layout and standardisation become part of it."""
    graph = Graph("assay-lite")
    size = SIDE
    x, size = _activated(graph, _input(graph), net.backbone.stem, "stem", size)
    stats = []
    for index, block in enumerate(net.backbone.blocks):
        x, size = _block(graph, x, block, f"block{index}", size)
        if index in POOLED:
            stats += _pooled(graph, x, f"block{index}")
    x, _ = _activated(graph, x, net.backbone.head, "head", size)
    stats += _pooled(graph, x, "head")
    features = graph.node("Flatten", graph.node("Concat", *stats, axis=1), axis=1, name="features")
    for aspect in aspects:
        _heads(graph, features, net, aspect)
    graph.save(
        path,
        {"image": (np.uint8, ["n", SIDE, SIDE, 3])},
        {aspect: (np.float32, ["n", 2]) for aspect in aspects},
    )


def read_back(path: Path) -> LiteNet:
    """A LiteNet with the weights of an exported fp32 graph; outputs that the graph lacks stay zero."""
    from onnx import load, numpy_helper

    values = {value.name: numpy_helper.to_array(value) for value in load(path).graph.initializer}
    net = LiteNet()
    with torch.no_grad():
        for name, conv in named_convolutions(net):
            conv.weight.copy_(torch.from_numpy(values[f"{name}.weight"].copy()))
            conv.bias.copy_(torch.from_numpy(values[f"{name}.bias"].copy()))
        for linear in (net.mean, net.spread):
            linear.weight.zero_()
            linear.bias.zero_()
        for aspect in (aspect for aspect in ASPECTS if f"{aspect}.weight" in values):
            for row, linear in enumerate((net.mean, net.spread)):
                linear.weight[ASPECTS.index(aspect)] = torch.from_numpy(
                    values[f"{aspect}.weight"][row].copy()
                )
                linear.bias[ASPECTS.index(aspect)] = float(values[f"{aspect}.bias"][row])
    return net.to(memory_format=torch.channels_last).eval()


def named_convolutions(net: LiteNet) -> list[tuple[str, SameConv]]:
    """Convolutions under the names they carry in the graph."""
    named = [("stem", net.backbone.stem)]
    for index, block in enumerate(net.backbone.blocks):
        parts = ("expand", "depthwise", "project")
        named += [(f"block{index}.{part}", getattr(block, part)) for part in parts if getattr(block, part)]
    return [*named, ("head", net.backbone.head)]


def _input(graph: Graph) -> str:
    scaled = graph.node(
        "Mul", graph.node("Cast", "image", to=1), graph.constant(np.array(1 / 127.5, np.float32))
    )
    centred = graph.node("Sub", scaled, graph.constant(np.array(1, np.float32)))
    return graph.node("Transpose", centred, perm=[0, 3, 1, 2])


def _conv(graph: Graph, x: str, conv: SameConv, name: str, size: int) -> tuple[str, int]:
    kernel, stride = conv.kernel_size[0], conv.stride[0]
    before, after = same_padding(size, kernel, stride)
    weight = graph.constant(conv.weight.detach().contiguous().numpy(), f"{name}.weight")
    bias = graph.constant(conv.bias.detach().numpy(), f"{name}.bias")
    attributes = {
        "group": conv.groups,
        "kernel_shape": [kernel, kernel],
        "strides": [stride, stride],
        "pads": [before, before, after, after],
    }
    return graph.node("Conv", x, weight, bias, name=name, **attributes), -(-size // stride)


def _activated(graph: Graph, x: str, conv: SameConv, name: str, size: int) -> tuple[str, int]:
    y, size = _conv(graph, x, conv, name, size)
    low, high = (graph.constant(np.array(value, np.float32)) for value in (0, 6))
    return graph.node("Clip", y, low, high, name=f"{name}.relu6"), size


def _block(graph: Graph, x: str, block: Block, name: str, size: int) -> tuple[str, int]:
    y = x
    if block.expand is not None:
        y, size = _activated(graph, y, block.expand, f"{name}.expand", size)
    y, size = _activated(graph, y, block.depthwise, f"{name}.depthwise", size)
    y, size = _conv(graph, y, block.project, f"{name}.project", size)
    return (graph.node("Add", x, y, name=f"{name}.sum") if block.residual else y), size


def _pooled(graph: Graph, x: str, name: str) -> list[str]:
    mean = graph.node("ReduceMean", x, axes=[2, 3], keepdims=1, name=f"{name}.mean")
    centred = graph.node("Sub", x, mean)
    variance = graph.node("ReduceMean", graph.node("Mul", centred, centred), axes=[2, 3], keepdims=1)
    safe = graph.node("Add", variance, graph.constant(np.array(1e-6, np.float32)))
    return [mean, graph.node("Sqrt", safe, name=f"{name}.deviation")]


def _heads(graph: Graph, features: str, net: LiteNet, aspect: str) -> None:
    """((x - centre) / scale) @ w + b as one matrix product, for the mean and the spread of one aspect."""
    row = ASPECTS.index(aspect)
    weight = (
        torch.stack([net.mean.weight[row], net.spread.weight[row]]).detach().double() / net.scale.double()
    )
    bias = (
        torch.stack([net.mean.bias[row], net.spread.bias[row]]).detach().double()
        - weight @ net.centre.double()
    )
    raw = graph.node(
        "Gemm",
        features,
        graph.constant(weight.float().numpy(), f"{aspect}.weight"),
        graph.constant(bias.float().numpy(), f"{aspect}.bias"),
        transB=1,
    )
    zero, one, two = (graph.constant(np.array([value], np.int64)) for value in (0, 1, 2))
    mean = graph.node("Slice", raw, zero, one, one)
    spread = graph.node("Softplus", graph.node("Slice", raw, one, two, one))
    floor = graph.constant(np.array(LiteNet.FLOOR, np.float32))
    graph.node("Concat", mean, graph.node("Add", spread, floor), axis=1, name=aspect)
