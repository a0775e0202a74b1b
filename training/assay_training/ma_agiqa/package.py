"""From a checkpoint to what a model folder is made of: graphs, manifest and card."""

from __future__ import annotations

from pathlib import Path

from assay_training.convert import System
from assay_training.ma_agiqa.card import card
from assay_training.ma_agiqa.checkpoint import load
from assay_training.ma_agiqa.config import GATES, LANGUAGE_MODEL, MOS_RANGE, QUESTIONS
from assay_training.ma_agiqa.export import export_graphs
from assay_training.maniqa.export import QUALITY
from assay_training.maniqa.package import image_spec

VERSION = "1.0.0"


def prepare(
    checkpoint: Path,
    work: Path,
    *,
    gate: str = "linear",
    limits: tuple[float, float] = MOS_RANGE,
) -> System:
    """Writes the graphs into WORK, which is made.

    gate: of GATES. limits: lowest and highest score. Raises CheckpointError for files that do not fit,
    ValueError for unknown options.
    """
    if gate not in GATES:
        raise ValueError(f"gate: expected one of {', '.join(GATES)}, found {gate}")
    if not limits[0] < limits[1]:
        raise ValueError(f"range: expected the lowest score before the highest, found {limits}")
    work.mkdir(parents=True, exist_ok=True)
    model, config, language, dead = load(checkpoint, gate)
    return System(
        graphs=export_graphs(model, config, language, work),
        tokenizer=None,
        manifest=manifest_of(image_spec(config, "whole"), language, limits),
        card=card(gate, limits, dead),
    )


def manifest_of(image: dict, language: int, limits: tuple[float, float]) -> dict:
    """All of the manifest that does not depend on files; language: numbers of a state."""
    quality = {"output": QUALITY, "kind": "mean", "range": list(limits), "needsPrompt": False}
    asked = [
        {"input": name, "turns": [{"role": "user", "text": f"{question}\n{{image}}"}], "pool": "mean"}
        for name, question in QUESTIONS.items()
    ]
    return {
        "id": "ma-agiqa",
        "version": VERSION,
        "title": "MA-AGIQA",
        "description": "Quality of an AI-generated image by its patches and by what a language model holds "
        "of it (MA-AGIQA).",
        "license": "Apache-2.0",
        "source": "wangpuyi/MA-AGIQA on GitHub; converted: python -m assay_training convert ma-agiqa",
        "image": image,
        "text": None,
        "language": {"model": LANGUAGE_MODEL, "width": language, "inputs": asked},
        "graphs": [{"graph": "image", "per": "image"}, {"graph": "score", "per": "pair"}],
        "aspects": {"quality": quality, "alignment": None, "authenticity": None},
        "reward": {"weights": {"quality": 1}},
        "maxBatch": 8,
        "cpuMaxBatch": 1,
    }
