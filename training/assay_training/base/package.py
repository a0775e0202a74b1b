"""Writes the model folder: graphs, tokenizer, calibration, golden results and the manifest that lists
their hashes."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from assay_training.base.encoder import CONTEXT
from assay_training.base.features import IMAGE
from assay_training.calibration import Calibration
from assay_training.data import MOS_RANGE
from assay_training.folder import fill_folder

ID, VERSION = "assay-base", "3.3.0"
COMMAND = "python -m assay_training base --data DIR --pictures DIR --weights DIR --out DIR"
SCORE, WORDS, TOKENIZER = f"{ID}.int4.onnx", f"{ID}.words.int4.onnx", "tokenizer.json"
TOLERANCES = (0.02, 0.05)  # of golden scores, as they are and resized


@dataclass(frozen=True)
class Fitted:
    """What goes into the folder: graphs, tokenizer, and what was fitted to out-of-fold outputs."""

    score: Path
    words: Path
    tokenizer: Path
    calibrations: dict[str, Calibration]
    results: dict


def package(folder: Path, fitted: Fitted) -> None:
    """Fills FOLDER, removing graphs of an earlier version."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.onnx"):
        old.unlink()
    shutil.copyfile(fitted.score, folder / SCORE)
    shutil.copyfile(fitted.words, folder / WORDS)
    tokenizer = json.loads(fitted.tokenizer.read_text()) | {"padding": None, "truncation": None}
    (folder / TOKENIZER).write_text(json.dumps(tokenizer, ensure_ascii=False) + "\n", encoding="utf-8")
    images = fitted.results["images"]
    calibration = {
        "version": 1,
        "fittedOn": f"AGIQA-3K, {images} images, each scored by heads that did not see its prompt",
        "aspects": {name: found.to_json() for name, found in fitted.calibrations.items()},
    }
    fill_folder(folder, [SCORE, WORDS, TOKENIZER], calibration, manifest_file(fitted.results), TOLERANCES)


def manifest_file(results: dict) -> dict:
    """The contents of manifest.json, without hashes."""
    reward = results["reward"]
    standard = {
        name: {key: round(value, 4) for key, value in entry.items()}
        for name, entry in reward["standard"].items()
    }
    return {
        "manifestVersion": 1,
        "id": ID,
        "version": VERSION,
        "title": "Assay Base",
        "description": "Perceived quality of AI-generated images, and how well they show their prompt.",
        "license": "Apache-2.0",
        "source": f"trained here: {COMMAND}",
        "backend": "onnx",
        "defaultVariant": "int4",
        "variants": {"int4": {"graphs": {"words": WORDS, "score": SCORE}}},
        "files": {},
        "graphs": [
            {"graph": "words", "per": "prompt", "texts": ["{prompt}"]},
            {"graph": "score", "per": "pair"},
        ],
        "image": IMAGE | {"minSide": 64, "maxAspectRatio": 4},
        "text": {
            "tokenizer": TOKENIZER,
            "ids": "ids",
            "mask": "mask",
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
            "limit": 1,
            "reason": "unlike any picture that this scorer can judge",
        },
        "reward": {"weights": reward["weights"], "standard": standard},
        "policy": {
            "aspects": {"quality": {"minScore": round(results["policy"]["threshold"], 2)}},
            "unsureWithinInterval": True,
        },
        "maxBatch": 16,
        "cpuMaxBatch": 1,  # larger batches fall out of the caches
        "calibration": "calibration.json",
        "golden": "golden.json",
        "card": "card.md",
    }
