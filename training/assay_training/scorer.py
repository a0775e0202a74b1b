"""Runs a model folder as the daemon does: manifest, preprocessing, its ONNX graphs in order, calibration."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from onnxruntime import GraphOptimizationLevel
from PIL import Image
from tokenizers import Tokenizer

from assay_training.calibration import Calibration
from assay_training.json_object import read_object
from assay_training.language import inputs_of, stand_ins
from assay_training.prepare import Inputs, prepare

ONE_GRAPH = [{"graph": "score", "per": "pair"}]


def open_session(path: Path, threads: int = 1, layouts: bool = True) -> onnxruntime.InferenceSession:
    """An onnxruntime session on the CPU; `threads` work on one graph run.

    Without `layouts` the last level of optimisation is left out, which changes memory layouts: on x86 it
    crashes on float16 graphs (Transpose, Cast, MatMul in a row; seen in onnxruntime 1.24 and 1.32).
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    if not layouts:
        options.graph_optimization_level = GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def open_tokenizer(path: Path, text: dict) -> Tokenizer:
    """The tokenizer of a file, neither cutting nor filling up. Raises what the library raises.

    text: the manifest's; where texts are mended before, the file's own normaliser is left out.
    """
    stored = json.loads(path.read_text(encoding="utf-8"))
    stored |= {"truncation": None, "padding": None} | ({"normalizer": None} if text.get("mending") else {})
    return Tokenizer.from_str(json.dumps(stored))


def encoded(one: str, tokenizer: Tokenizer, text: dict) -> list[int]:
    """Ids of a text, at most contextLength; a short one has its fixed length, if the manifest says so."""
    given, short = one, text.get("short")
    if text.get("mending"):
        from assay_training.clip.mending import mended  # here, since few scorers need it

        given = mended(one)
    ids = tokenizer.encode(given).ids
    if not short or len(one.split(" ")) > short["words"]:
        return cut(ids, text["contextLength"])
    ids = cut(ids, short["tokens"])
    return ids + [text["padId"]] * (short["tokens"] - len(ids))


def cut(ids: list[int], length: int) -> list[int]:
    """At most `length` ids, keeping the last one."""
    return ids if len(ids) <= length else [*ids[: length - 1], ids[-1]]


def token_ids(ids: list[int], text: dict) -> np.ndarray:
    """[contextLength]: cut keeping the last id, or filled up, as the daemon does."""
    length = text["contextLength"]
    ids = cut(ids, length)
    return np.array(ids + [text["padId"]] * (length - len(ids)), text["dtype"])


def tokens(texts: Sequence[str], tokenizer: Tokenizer, text: dict) -> Inputs:
    """Ids and, if the manifest names one, the mask (1 at ids, 0 at filling), [T, contextLength] each."""
    ids = [encoded(one, tokenizer, text) for one in texts]
    found = {text["ids"]: np.stack([token_ids(one, text) for one in ids])}
    if text["mask"]:
        lengths = np.array([len(one) for one in ids])
        found[text["mask"]] = (np.arange(text["contextLength"]) < lengths[:, None]).astype(text["dtype"])
    return found


def estimate(aspect: dict, rows: np.ndarray) -> np.ndarray:
    """Rows [N, …] of the aspect's output to [N, 2], mean and spread; a bare mean has spread 1."""
    kind = aspect.get("kind", "mean-spread")
    if kind == "mean-spread":
        return rows
    if kind == "mean":
        return np.stack([rows[:, 0], np.ones(len(rows), rows.dtype)], 1)
    levels, share = np.array(aspect["levels"]), rows / rows.sum(1, keepdims=True, dtype=np.float64)
    mean = share @ levels
    return np.stack([mean, np.sqrt((share * (levels - mean[:, None]) ** 2).sum(1))], 1)


class Scorer:
    """One variant of a model folder. An aspect that needs a prompt is only predicted where there is one.

    A language model that it needs has a stand-in here: scores are comparable with one another alone.
    """

    def __init__(self, folder: Path, variant: str | None = None, threads: int = 1) -> None:
        self.manifest = read_object(folder / "manifest.json")
        variant = variant or self.manifest["defaultVariant"]
        chosen = self.manifest["variants"][variant]
        self.image, self.text = self.manifest["image"], self.manifest["text"]
        if "windows" in chosen:
            self.image = self.image | {"windows": self.image["windows"] | {"count": chosen["windows"]}}
        self.chain = self.manifest.get("graphs") or ONE_GRAPH
        layouts = variant != self.manifest.get("gpuVariant")
        self.sessions = {
            link["graph"]: open_session(folder / chosen["graphs"][link["graph"]], threads, layouts)
            for link in self.chain
        }
        fitted = read_object(folder / self.manifest["calibration"])["aspects"]
        self.aspects = {name: aspect for name, aspect in self.manifest["aspects"].items() if aspect}
        self.calibration = {
            name: Calibration.from_json(fitted[name], aspect["range"])
            for name, aspect in self.aspects.items()
        }
        self.tokenizer = open_tokenizer(folder / self.text["tokenizer"], self.text) if self.text else None

    def inputs(self, image: Image.Image) -> Inputs:
        """All image inputs by name, without the batch dimension, as the manifest says."""
        return prepare(image, self.image)

    def prepare(self, image: Image.Image) -> np.ndarray:
        """uint8 [height, width, 3], for scorers that take one view. Raises ValueError for an unknown mode."""
        return self.inputs(image)[self.image["input"]]

    def raw(
        self, pixels: np.ndarray | Inputs, prompt: str | Sequence[str] | None = None
    ) -> dict[str, np.ndarray]:
        """Prepared pixels [N, H, W, 3], or all image inputs, to each aspect's raw [N, 2] (mean, spread).

        One prompt is for all images, several are one each. What a language model holds may be among the
        inputs.
        """
        aspects = {name: a for name, a in self.aspects.items() if prompt is not None or not a["needsPrompt"]}
        if not aspects:
            return {}
        images = pixels if isinstance(pixels, dict) else {self.image["input"]: pixels}
        count = len(next(iter(images.values()), [None]))  # a scorer may read no pixels
        prompts = [prompt or ""] * count if prompt is None or isinstance(prompt, str) else prompt
        found = self._run(images, prompts, [aspect["output"] for aspect in aspects.values()])
        return {name: estimate(a, rows) for (name, a), rows in zip(aspects.items(), found, strict=True)}

    def score(
        self, pixels: np.ndarray | Inputs, prompt: str | Sequence[str] | None = None
    ) -> dict[str, dict[str, np.ndarray]]:
        """As raw, to each aspect's score, low, high and percentile, each [N]."""
        return {name: self.calibration[name].apply(raw) for name, raw in self.raw(pixels, prompt).items()}

    def _run(self, images: Inputs, prompts: Sequence[str], outputs: list[str]) -> list[np.ndarray]:
        """All graphs in their order; the last one gets what the others found."""
        *early, last = self.chain
        language = self.manifest.get("language")
        heard = {name: values for name, values in images.items() if name in inputs_of(language)}
        images = {name: values for name, values in images.items() if name not in heard}
        carried = stand_ins(language, len(prompts)) | heard
        for link in early:
            session = self.sessions[link["graph"]]
            feeds = self._texts(link, prompts) | (images if link["per"] == "image" else {})
            names = [entry.name for entry in session.get_outputs()]
            carried |= zip(names, session.run(names, feeds), strict=True)
        if not any(link["per"] == "image" for link in early):
            carried |= images
        return self.sessions[last["graph"]].run(outputs, carried | self._texts(last, prompts))

    def _texts(self, link: dict, prompts: Sequence[str]) -> Inputs:
        """Tokens of a graph, [N, T, L]; a folder of one graph reads the prompts themselves, [N, L]."""
        if "graphs" not in self.manifest:
            return tokens(prompts, self.tokenizer, self.text) if self.text else {}
        if not link.get("texts"):
            return {}
        rows = [
            tokens([text.replace("{prompt}", prompt) for text in link["texts"]], self.tokenizer, self.text)
            for prompt in prompts
        ]
        return {name: np.stack([row[name] for row in rows]) for name in rows[0]}
