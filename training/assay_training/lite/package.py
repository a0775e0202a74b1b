"""Writes the model folder: graphs, calibration, golden results and the manifest that lists their hashes."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from assay_training.calibration import fit
from assay_training.data import MOS_RANGE
from assay_training.folder import fill_folder
from assay_training.lite.model import SIDE

ID, VERSION = "assay-lite", "1.0.0"
COMMAND = "python -m assay_training lite --data DIR --backbones DIR --out DIR --families"
VARIANTS = ("int8", "fp32")


def package(folder: Path, nets: Path, raw: np.ndarray, rated: np.ndarray, default: str) -> None:
    """Fills FOLDER from NETS/{int8,fp32}.onnx; calibration is fitted to out-of-fold raw outputs [N, 2]."""
    folder.mkdir(parents=True, exist_ok=True)
    for variant in VARIANTS:
        shutil.copyfile(nets / f"{variant}.onnx", folder / f"{ID}.{variant}.onnx")
    graphs = [f"{ID}.{variant}.onnx" for variant in VARIANTS]
    fill_folder(folder, graphs, calibration_file(raw, rated), manifest_file(default))


def calibration_file(raw: np.ndarray, rated: np.ndarray) -> dict:
    """The contents of calibration.json."""
    return {
        "version": 1,
        "fittedOn": f"AGIQA-3K, {len(rated)} images, each scored by a net that did not see its prompt",
        "aspects": {"quality": fit(raw, rated, MOS_RANGE).to_json()},
    }


def manifest_file(default: str) -> dict:
    """The contents of manifest.json, without hashes."""
    return {
        "manifestVersion": 1,
        "id": ID,
        "version": VERSION,
        "title": "Assay Lite",
        "description": "Perceived quality of AI-generated images, predicted on a CPU in milliseconds. "
        "Looks at the image only and does not read the prompt.",
        "license": "Apache-2.0",
        "source": f"trained here: {COMMAND}",
        "backend": "onnx",
        "defaultVariant": default,
        "variants": {variant: {"graphs": {"score": f"{ID}.{variant}.onnx"}} for variant in VARIANTS},
        "files": {},
        "image": {
            "input": "image",
            "width": SIDE,
            "height": SIDE,
            "resize": "stretch",
            "kernel": "cubic",
            "layout": "nhwc",
            "dtype": "uint8",
            "minSide": 64,
            "maxAspectRatio": 4,
        },
        "text": None,
        "aspects": {
            "quality": {"output": "quality", "range": [0, 5], "needsPrompt": False},
            "alignment": None,
            "authenticity": None,
        },
        "reward": {"weights": {"quality": 1}},
        "maxBatch": 16,
        "cpuMaxBatch": 1,  # larger batches fall out of the caches
        "calibration": "calibration.json",
        "golden": "golden.json",
        "card": "card.md",
    }
