"""A checkpoint made into what a model folder needs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from assay_training.acl_iqa.card import card
from assay_training.acl_iqa.checkpoint import load_checkpoint
from assay_training.acl_iqa.config import LEVELS, AclConfig
from assay_training.acl_iqa.export import IDS, export_graphs
from assay_training.acl_iqa.views import image_spec
from assay_training.clip.mending import write_mending
from assay_training.clip.tokenizer import PAD, encode, open_tokenizer, write_tokenizer
from assay_training.convert import System

WINDOW_COUNTS = (15, 4, 1)
TITLES = {"quality": "quality", "alignment": "alignment with the prompt", "authenticity": "authenticity"}


def prepare(
    checkpoint: Path,
    clip: Path,
    work: Path,
    *,
    task: str = "quality",
    combine: str = "logsumexp",
    average: str = "logits",
    version: str = "1.0.0",
    model_id: str | None = None,
    config: AclConfig | None = None,
) -> System:
    """Writes graphs, tokenizer.json into WORK and describes them.

    checkpoint: in upstream's layout; it holds all weights. clip: a folder with CLIP's tokenizer, or one of
    its files. config: other sizes than ViT-B/32's; task, combine and average are always the arguments'.
    Raises CheckpointError or DataError.
    """
    wanted = replace(config or AclConfig(), task=task, combine=combine, average=average)
    work.mkdir(parents=True, exist_ok=True)
    tokenizer = write_tokenizer(clip, work / "tokenizer.json", wanted.clip)
    model, without_effect = load_checkpoint(checkpoint, wanted)
    _ = model.config.instructions  # refuses a task that the variant cannot do before minutes of export
    grades = None
    if model.config.same_grades:
        ids = encode(open_tokenizer(tokenizer), list(model.config.grades), model.config.clip.context)
        grades = torch.from_numpy(ids)[None]
    return System(
        graphs=export_graphs(model, work, grades),
        tokenizer=tokenizer,
        mending=write_mending(work / "mending.json"),
        manifest=manifest(model.config, version, model_id),
        card=card(model.config, checkpoint.name, without_effect),
        windows=(wanted.views.count, *(n for n in WINDOW_COUNTS if n < wanted.views.count)),
    )


def manifest(config: AclConfig, version: str, model_id: str | None = None) -> dict:
    """All of the manifest that does not depend on files."""
    task = config.task
    aspects = dict.fromkeys(("quality", "alignment", "authenticity"))
    aspects[task] = {
        "output": task,
        "kind": "distribution",
        "levels": list(LEVELS),
        "range": [LEVELS[0], LEVELS[-1]],
        "needsPrompt": True,
    }
    return {
        "id": model_id or ("acl-iqa" if task == "quality" else f"acl-iqa-{task}"),
        "version": version,
        "title": f"ACL-IQA, {task}",
        "description": f"Perceived {TITLES[task]} of AI-generated images, by graded texts and CLIP.",
        "license": "none stated by the authors of the method; see the card",
        "source": "converted: python -m assay_training convert acl-iqa",
        "image": image_spec(config.clip.side, config.views),
        "text": {
            "tokenizer": "tokenizer.json",
            "ids": IDS,
            "mask": None,
            "dtype": "int64",
            "contextLength": config.clip.context,
            "padId": PAD,
        },
        "graphs": [
            *([] if config.same_grades else [_per_prompt("grades", config.grades)]),
            _per_prompt("instruction", config.instructions),
            {"graph": "score", "per": "pair"},
        ],
        "aspects": aspects,
        "reward": {"weights": {task: 1}},
        "maxBatch": 4,
        "cpuMaxBatch": 1,
    }


def _per_prompt(graph: str, texts: tuple[str, ...]) -> dict:
    return {"graph": graph, "per": "prompt", "texts": list(texts)}
