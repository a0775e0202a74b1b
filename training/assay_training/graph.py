"""Writes ONNX graphs node by node: full control over operators, padding and names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

OPSET = 17  # every operator used here runs in onnxruntime on CPU, CUDA and WebGPU
CONTRIBUTED = "com.microsoft"  # onnxruntime's own operators: nodes name it as their `domain`
IR_VERSION = 8


class Graph:
    """Collects nodes and constants; each call returns the name of what it made."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.known: dict[str, str] = {}

    def node(self, operator: str, *inputs: str, name: str | None = None, **attributes) -> str:
        """Appends one node and returns the name of its output."""
        output = name or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], name=output, **attributes))
        return output

    def nodes_of(self, operator: str, *inputs: str, count: int, **attributes) -> list[str]:
        """Appends one node with several outputs and returns their names."""
        name = f"{operator.lower()}_{len(self.nodes)}"
        outputs = [f"{name}_{number}" for number in range(count)]
        self.nodes.append(helper.make_node(operator, list(inputs), outputs, name=name, **attributes))
        return outputs

    def constant(self, value: np.ndarray, name: str | None = None) -> str:
        """Adds an initialiser; equal unnamed scalars are shared."""
        value = np.ascontiguousarray(value)
        key = f"{value.dtype}:{value.tolist()}" if name is None and value.ndim == 0 else ""
        if key in self.known:
            return self.known[key]
        made = name or f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(value, made))
        if key:
            self.known[key] = made
        return made

    def save(self, path: Path, inputs: dict[str, tuple], outputs: dict[str, tuple]) -> None:
        """Checks and writes the model. Inputs and outputs map a name to (numpy dtype, shape)."""
        onnx.save(self.model(inputs, outputs), path)

    def model(self, inputs: dict[str, tuple], outputs: dict[str, tuple]) -> onnx.ModelProto:
        """The model, checked; see `save`."""
        graph = helper.make_graph(self.nodes, self.name, _infos(inputs), _infos(outputs), self.constants)
        domains = {node.domain for node in self.nodes if node.domain}
        opset = [helper.make_opsetid("", OPSET), *(helper.make_opsetid(name, 1) for name in domains)]
        model = helper.make_model(
            graph, opset_imports=opset, ir_version=IR_VERSION, producer_name="assay_training"
        )
        onnx.checker.check_model(model, full_check=True)
        return model


def _infos(values: dict[str, tuple]) -> list[onnx.ValueInfoProto]:
    return [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)
        for name, (dtype, shape) in values.items()
    ]
