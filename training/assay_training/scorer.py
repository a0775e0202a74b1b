"""Runs a model folder as the daemon does: manifest, preprocessing, ONNX graph, calibration."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

from assay_training.calibration import Calibration


def open_session(path: Path, threads: int = 1) -> onnxruntime.InferenceSession:
    """An onnxruntime session on the CPU; `threads` work on one graph run."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


class Scorer:
    """One variant of a model folder that scores images without a prompt."""

    def __init__(self, folder: Path, variant: str | None = None, threads: int = 1) -> None:
        self.manifest = json.loads((folder / "manifest.json").read_text())
        self.image = self.manifest["image"]
        graph = self.manifest["variants"][variant or self.manifest["defaultVariant"]]["graphs"]["score"]
        self.session = open_session(folder / graph, threads)
        fitted = json.loads((folder / self.manifest["calibration"]).read_text())["aspects"]
        self.aspects = {name: aspect for name, aspect in self.manifest["aspects"].items() if aspect}
        self.calibration = {
            name: Calibration.from_json(fitted[name], aspect["range"])
            for name, aspect in self.aspects.items()
        }

    def prepare(self, image: Image.Image) -> np.ndarray:
        """uint8 [height, width, 3], resized as the manifest says. Raises ValueError for an unknown mode."""
        if (self.image["resize"], self.image["kernel"]) != ("stretch", "cubic"):
            raise ValueError(f"image.resize: only stretch with a cubic kernel is known, found {self.image}")
        size = (self.image["width"], self.image["height"])
        image = image.convert("RGB")
        return np.asarray(image if image.size == size else image.resize(size, Image.Resampling.BICUBIC))

    def raw(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        """Prepared pixels [N, H, W, 3] to each aspect's raw output [N, 2] (mean, spread)."""
        outputs = [aspect["output"] for aspect in self.aspects.values()]
        found = self.session.run(outputs, {self.image["input"]: pixels})
        return dict(zip(self.aspects, found, strict=True))

    def score(self, pixels: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
        """Prepared pixels [N, H, W, 3] to each aspect's score, low, high and percentile, each [N]."""
        return {name: self.calibration[name].apply(raw) for name, raw in self.raw(pixels).items()}
