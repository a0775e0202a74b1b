"""From a predictor and the language model's output layer to what a model folder is made of."""

from __future__ import annotations

from pathlib import Path

from assay_training.convert import System
from assay_training.m3_agiqa.card import card
from assay_training.m3_agiqa.checkpoint import load
from assay_training.m3_agiqa.config import ASPECTS, FULL, MODEL, QUESTIONS, RANGE, Config, Questions
from assay_training.m3_agiqa.export import FLOAT32, STATES, export_graphs

VERSION = "1.0.0"
POSITIONS = 512  # 768 for the predictor of AIGIQA-20K
SIDE = 448  # of the images that golden results are made of, which no graph reads


def prepare(
    checkpoint: Path,
    lm_head: Path,
    work: Path,
    *,
    questions: str = "agiqa-3k-quality",
    positions: int = POSITIONS,
    config: Config = FULL,
) -> System:
    """Writes the graph into WORK, which is made.

    lm_head: folder or file of the language model's weights, of which its output layer alone is read.
    questions: of QUESTIONS. positions: of a conversation that are read; later ones are cut, as in training.
    Raises CheckpointError for files that do not fit, ValueError for unknown options.
    """
    if questions not in QUESTIONS:
        raise ValueError(f"questions: expected one of {', '.join(QUESTIONS)}, found {questions}")
    if positions < 1:
        raise ValueError(f"positions: expected at least 1, found {positions}")
    work.mkdir(parents=True, exist_ok=True)
    asked = QUESTIONS[questions]
    loaded = load(checkpoint, lm_head, config)
    return System(
        graphs=export_graphs(loaded.model, config, asked.aspect, work),
        tokenizer=None,
        manifest=manifest_of(asked, positions, config),
        card=card(asked, questions, positions, loaded),
        float32=FLOAT32,
    )


def manifest_of(asked: Questions, positions: int, config: Config) -> dict:
    """All of the manifest that does not depend on files."""
    turns = [
        {"role": "user", "text": asked.first},
        {"role": "assistant"},
        {"role": "user", "text": asked.second},
    ]
    said = {"input": STATES, "turns": turns, "pool": "none", "maxPositions": positions}
    known = {"output": asked.aspect, "kind": "mean", "range": list(RANGE), "needsPrompt": True}
    return {
        "id": "m3-agiqa" if asked.aspect == "quality" else f"m3-agiqa-{asked.aspect}",
        "version": VERSION,
        "title": f"M3-AGIQA ({asked.aspect})",
        "description": f"{asked.aspect.capitalize()} of an AI-generated image, by what a language model "
        "holds of a conversation about it (M3-AGIQA).",
        "license": "NOASSERTION",
        "source": "strawhatboy/M3-AGIQA on GitHub; converted: python -m assay_training convert m3-agiqa",
        "image": {
            "input": None,
            "width": SIDE,
            "height": SIDE,
            "resize": "stretch",
            "kernel": "cubic",
            "layout": "nhwc",
            "dtype": "uint8",
            "minSide": 64,
            "maxAspectRatio": 8,
        },
        "text": None,
        "language": {
            "model": f"{MODEL} with the LoRA adapter of the predictor",
            "width": config.hidden,
            "inputs": [said],
        },
        "graphs": [{"graph": "score", "per": "pair"}],
        "aspects": {name: known if name == asked.aspect else None for name in ASPECTS},
        "reward": {"weights": {asked.aspect: 1}},
        "maxBatch": 1,
    }
