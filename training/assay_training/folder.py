"""What the model folders of all systems share: calibration, golden results, and a manifest with hashes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

from assay_training.golden import TOLERANCES, write_golden
from assay_training.verify import digest


def fill_folder(
    folder: Path,
    data: Iterable[str],
    calibration: dict,
    manifest: dict,
    tolerances: tuple[float, float] = TOLERANCES,
) -> None:
    """Writes everything but the files named in `data` (graphs, tokenizer), which are there already.

    `manifest` comes without hashes; `tolerances` are those of the golden scores.
    """
    write_json(folder / "calibration.json", calibration)
    write_json(folder / "manifest.json", manifest)  # the golden results are made through it
    write_golden(folder, tolerances)
    names = [*data, "calibration.json", "golden.json"]
    names += [f"golden/{path.name}" for path in sorted((folder / "golden").glob("*.png"))]
    manifest["files"] = {name: digest(folder / name) for name in names}
    write_json(folder / "manifest.json", manifest)
    total = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"package: {folder}, {total / 1e6:.1f} MB", flush=True)


def write_json(path: Path, value: dict) -> None:
    """Two-space JSON with short lists of numbers kept on one line."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    path.write_text(_joined(text) + "\n", encoding="utf-8")


def _joined(text: str) -> str:
    return re.sub(r"\[\s+(-?[\d.,\s-]+?)\s+\]", lambda found: f"[{' '.join(found[1].split())}]", text)
