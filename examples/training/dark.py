"""Makes a scorer that is easy to game: it takes darkness for quality.

pip install onnx
python examples/training/dark.py models-of-mine
"""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save_model

SIDE = 32
#: From the mean of all bytes, 0..255, to a score of 5..0.
SCALE = -1 / 51
SPREAD = 0.5


def network():
    """uint8 [n, 32, 32, 3] to quality [n, 2]: score and spread."""
    constants = {"scale": [SCALE], "none": [0.0], "black": [5.0], "spread": [SPREAD]}
    arrays = [numpy_helper.from_array(np.array(value, np.float32), name) for name, value in constants.items()]
    axes = [
        numpy_helper.from_array(np.array([1, 2, 3]), "all"),
        numpy_helper.from_array(np.array([-1, 1]), "column"),
    ]
    nodes = [
        helper.make_node("Cast", ["image"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["pixels", "all"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "scale"], ["light"]),
        helper.make_node("Add", ["light", "black"], ["score"]),
        helper.make_node("Reshape", ["score", "column"], ["scores"]),
        helper.make_node("Mul", ["scores", "none"], ["zeros"]),
        helper.make_node("Add", ["zeros", "spread"], ["spreads"]),
        helper.make_node("Concat", ["scores", "spreads"], ["quality"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "dark",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", SIDE, SIDE, 3])],
        [helper.make_tensor_value_info("quality", TensorProto.FLOAT, ["n", 2])],
        [*arrays, *axes],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


CALIBRATION = {
    "version": 1,
    "fittedOn": "nothing: nobody rated darkness",
    "aspects": {
        "quality": {
            "map": {"x": [0, 5], "y": [0, 5]},
            "interval": {"coverage": 0.9, "scale": 2},
            "quantiles": [at / 20 for at in range(101)],
        }
    },
}

MANIFEST = {
    "manifestVersion": 1,
    "id": "dark",
    "version": "1.0.0",
    "title": "Dark",
    "description": "How dark the picture is, and nothing else: a scorer to be gamed.",
    "license": "Apache-2.0",
    "source": "examples/training/dark.py",
    "backend": "onnx",
    "defaultVariant": "fp32",
    "variants": {"fp32": {"graphs": {"score": "dark.onnx"}}},
    "image": {
        "input": "image",
        "width": SIDE,
        "height": SIDE,
        "resize": "stretch",
        "kernel": "cubic",
        "layout": "nhwc",
        "dtype": "uint8",
        "minSide": 16,
        "maxAspectRatio": 4,
    },
    "text": None,
    "aspects": {
        "quality": {"output": "quality", "kind": "mean-spread", "range": [0, 5], "needsPrompt": False},
        "alignment": None,
        "authenticity": None,
    },
    "reward": {"weights": {"quality": 1}},
    "maxBatch": 16,
    "calibration": "calibration.json",
    "golden": "golden.json",
    "card": "card.md",
}


def make(parent: Path) -> Path:
    folder = parent / "dark"
    folder.mkdir(parents=True, exist_ok=True)
    save_model(network(), folder / "dark.onnx")
    (folder / "calibration.json").write_text(json.dumps(CALIBRATION))
    (folder / "golden.json").write_text(json.dumps({"version": 1, "items": []}))
    (folder / "card.md").write_text("# Dark\n\nA scorer to be gamed: examples/training/dark.py made it.\n")
    data = {name: (folder / name).read_bytes() for name in ("dark.onnx", "calibration.json", "golden.json")}
    files = {name: {"sha256": hashlib.sha256(one).hexdigest(), "bytes": len(one)} for name, one in data.items()}
    (folder / "manifest.json").write_text(json.dumps({**MANIFEST, "files": files}, indent=2))
    return folder


if __name__ == "__main__":
    print(make(Path(sys.argv[1])))
