"""Runs a model folder as the daemon does: manifest, preprocessing, ONNX graph, calibration."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image
from tokenizers import Tokenizer

from assay_training.calibration import Calibration


def open_session(path: Path, threads: int = 1) -> onnxruntime.InferenceSession:
    """An onnxruntime session on the CPU; `threads` work on one graph run."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def cut(ids: list[int], length: int) -> list[int]:
    """At most `length` ids, keeping the last one."""
    return ids if len(ids) <= length else [*ids[: length - 1], ids[-1]]


def token_ids(ids: list[int], text: dict) -> np.ndarray:
    """[contextLength]: cut keeping the last id, or filled up, as the daemon does."""
    length = text["contextLength"]
    ids = cut(ids, length)
    return np.array(ids + [text["padId"]] * (length - len(ids)), text["dtype"])


class Scorer:
    """One variant of a model folder. An aspect that needs a prompt is only predicted where there is one."""

    def __init__(self, folder: Path, variant: str | None = None, threads: int = 1) -> None:
        self.manifest = json.loads((folder / "manifest.json").read_text())
        self.image, self.text = self.manifest["image"], self.manifest["text"]
        graph = self.manifest["variants"][variant or self.manifest["defaultVariant"]]["graphs"]["score"]
        self.session = open_session(folder / graph, threads)
        fitted = json.loads((folder / self.manifest["calibration"]).read_text())["aspects"]
        self.aspects = {name: aspect for name, aspect in self.manifest["aspects"].items() if aspect}
        self.calibration = {
            name: Calibration.from_json(fitted[name], aspect["range"])
            for name, aspect in self.aspects.items()
        }
        self.tokenizer = Tokenizer.from_file(str(folder / self.text["tokenizer"])) if self.text else None

    def prepare(self, image: Image.Image) -> np.ndarray:
        """uint8 [height, width, 3], resized as the manifest says. Raises ValueError for an unknown mode."""
        if (self.image["resize"], self.image["kernel"]) != ("stretch", "cubic"):
            raise ValueError(f"image.resize: only stretch with a cubic kernel is known, found {self.image}")
        size = (self.image["width"], self.image["height"])
        image = image.convert("RGB")
        return np.asarray(image if image.size == size else image.resize(size, Image.Resampling.BICUBIC))

    def raw(self, pixels: np.ndarray, prompt: str | None = None) -> dict[str, np.ndarray]:
        """Prepared pixels [N, H, W, 3] to each aspect's raw output [N, 2] (mean, spread)."""
        aspects = {name: a for name, a in self.aspects.items() if prompt is not None or not a["needsPrompt"]}
        feeds = {self.image["input"]: pixels}
        if self.text:
            ids = token_ids(self.tokenizer.encode(prompt or "").ids, self.text)
            feeds[self.text["ids"]] = np.repeat(ids[None], len(pixels), 0)
        found = self.session.run([aspect["output"] for aspect in aspects.values()], feeds)
        return dict(zip(aspects, found, strict=True))

    def score(self, pixels: np.ndarray, prompt: str | None = None) -> dict[str, dict[str, np.ndarray]]:
        """Prepared pixels [N, H, W, 3] to each aspect's score, low, high and percentile, each [N]."""
        return {name: self.calibration[name].apply(raw) for name, raw in self.raw(pixels, prompt).items()}
