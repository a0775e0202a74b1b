"""Writes the model folder: graphs, calibration, golden results and the manifest that lists their hashes."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from assay_training.calibration import Calibration
from assay_training.data import MOS_RANGE
from assay_training.folder import fill_folder
from assay_training.tower.clip import SHAPE
from assay_training.tower.words import CONTEXT

ID, VERSION = "assay-lite", "2.0.0"
COMMAND = "python -m assay_training tower --data DIR --pictures DIR --weights DIR --out DIR"
TOLERANCES = (0.02, 0.2)  # of golden scores: one grey level in a tenth of the pixels moves them by 0.05
GRAPH, TOKENIZER = f"{ID}.int8.onnx", "tokenizer.json"


@dataclass(frozen=True)
class Fitted:
    """What goes into the folder: the graph, the tokenizer, and what was fitted to out-of-fold outputs."""

    graph: Path
    tokenizer: Path
    calibrations: dict[str, Calibration]
    domain_limit: float
    images: int


def package(folder: Path, fitted: Fitted) -> None:
    """Fills FOLDER, removing graphs of an earlier version."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.onnx"):
        old.unlink()
    shutil.copyfile(fitted.graph, folder / GRAPH)
    tokenizer = json.loads(fitted.tokenizer.read_text()) | {"padding": None, "truncation": None}
    (folder / TOKENIZER).write_text(json.dumps(tokenizer, ensure_ascii=False) + "\n", encoding="utf-8")
    calibration = {
        "version": 1,
        "fittedOn": f"AGIQA-3K, {fitted.images} images, each scored by heads that did not see its prompt",
        "aspects": {name: found.to_json() for name, found in fitted.calibrations.items()},
    }
    fill_folder(folder, [GRAPH, TOKENIZER], calibration, manifest_file(fitted.domain_limit), TOLERANCES)


def manifest_file(domain_limit: float) -> dict:
    """The contents of manifest.json, without hashes."""
    return {
        "manifestVersion": 1,
        "id": ID,
        "version": VERSION,
        "title": "Assay Lite",
        "description": "Perceived quality of AI-generated images, and how well they show their prompt, "
        "predicted on a CPU.",
        "license": "Apache-2.0",
        "source": f"trained here: {COMMAND}",
        "backend": "onnx",
        "defaultVariant": "int8",
        "variants": {"int8": {"graphs": {"score": GRAPH}}},
        "files": {},
        "image": {
            "input": "image",
            "width": SHAPE.side,
            "height": SHAPE.side,
            "resize": "stretch",
            "kernel": "cubic",
            "layout": "nhwc",
            "dtype": "uint8",
            "minSide": 64,
            "maxAspectRatio": 4,
        },
        "text": {
            "tokenizer": TOKENIZER,
            "ids": "ids",
            "mask": None,
            "dtype": "int64",
            "contextLength": CONTEXT,
            "padId": 0,
        },
        "aspects": {
            "quality": {"output": "quality", "range": list(MOS_RANGE), "needsPrompt": False},
            "alignment": {"output": "alignment", "range": list(MOS_RANGE), "needsPrompt": True},
            "authenticity": None,
        },
        "domain": {
            "output": "foreignness",
            "limit": round(domain_limit, 4),
            "reason": "unlike the rated AI-generated images",
        },
        "reward": {"weights": {"quality": 1, "alignment": 0.5}},
        "maxBatch": 16,
        "cpuMaxBatch": 1,  # larger batches fall out of the caches
        "calibration": "calibration.json",
        "golden": "golden.json",
        "card": "card.md",
    }
