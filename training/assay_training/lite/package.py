"""Writes the model folder: graphs, calibration, golden results and the manifest that lists their hashes."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np

from assay_training.calibration import fit
from assay_training.data import MOS_RANGE
from assay_training.golden import write_golden
from assay_training.lite.model import SIDE
from assay_training.verify import digest

ID, VERSION = "assay-lite", "1.0.0"
COMMAND = "python -m assay_training lite --data DIR --backbones DIR --out DIR --families"
VARIANTS = ("int8", "fp32")


def package(folder: Path, nets: Path, raw: np.ndarray, rated: np.ndarray, default: str) -> None:
    """Fills FOLDER from NETS/{int8,fp32}.onnx; calibration is fitted to out-of-fold raw outputs [N, 2]."""
    folder.mkdir(parents=True, exist_ok=True)
    for variant in VARIANTS:
        shutil.copyfile(nets / f"{variant}.onnx", folder / f"{ID}.{variant}.onnx")
    write_json(folder / "calibration.json", calibration_file(raw, rated))
    manifest = manifest_file(default)
    write_json(folder / "manifest.json", manifest)  # the golden results are made through it
    write_golden(folder)
    names = [f"{ID}.{variant}.onnx" for variant in VARIANTS] + ["calibration.json", "golden.json"]
    names += [f"golden/{path.name}" for path in sorted((folder / "golden").glob("*.png"))]
    manifest["files"] = {name: digest(folder / name) for name in names}
    write_json(folder / "manifest.json", manifest)
    total = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"package: {folder}, {total / 1e6:.1f} MB", flush=True)


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


def write_json(path: Path, value: dict) -> None:
    """Two-space JSON with short lists of numbers kept on one line."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    path.write_text(_joined(text) + "\n", encoding="utf-8")


def _joined(text: str) -> str:
    return re.sub(r"\[\s+(-?[\d.,\s-]+?)\s+\]", lambda found: f"[{' '.join(found[1].split())}]", text)
