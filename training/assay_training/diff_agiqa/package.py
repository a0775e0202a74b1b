"""From checkpoints to what a model folder is made of: graphs, tokenizer, manifest and card."""

from __future__ import annotations

from pathlib import Path

from assay_training.clip.mending import write_mending
from assay_training.clip.tokenizer import write_tokenizer
from assay_training.convert import System
from assay_training.diff_agiqa.card import card
from assay_training.diff_agiqa.checkpoint import Sources, load_head
from assay_training.diff_agiqa.config import FULL, SHORT_WORDS, Config
from assay_training.diff_agiqa.export import IDS, IMAGE, MASK, export_graphs
from assay_training.diff_agiqa.head import TOP
from assay_training.diff_agiqa.spread import measure

ID, VERSION = "diff-agiqa", "1.0.0"
MOST_NOISES = 64


def prepare(sources: Sources, work: Path, *, noises: int = 1, config: Config = FULL) -> System:
    """Writes graphs and tokenizer into WORK, which is made.

    noises: whose scores are averaged. Raises CheckpointError for files that do not fit, ValueError for a
    number of noises below 1.
    """
    if not 1 <= noises <= MOST_NOISES:
        raise ValueError(f"noises: expected 1 to {MOST_NOISES}, found {noises}")
    work.mkdir(parents=True, exist_ok=True)
    head = load_head(sources.head, config)  # the file that is most likely to be wrong comes first
    sources.check()
    tokenizer = write_tokenizer(sources.tokenizer_folder, work / "tokenizer.json", config.text)
    graphs = export_graphs(head, sources, config, noises, work)
    manifest = manifest_of(config)
    return System(
        graphs=graphs,
        tokenizer=tokenizer,
        mending=write_mending(work / "mending.json"),
        manifest=manifest,
        card=card(config, noises, measure(graphs, tokenizer, manifest, config)),
        slow=True,
    )


def manifest_of(config: Config) -> dict:
    """All of the manifest that does not depend on files."""
    quality = {"output": "quality", "kind": "mean", "range": [0, TOP], "needsPrompt": True}
    return {
        "id": ID,
        "version": VERSION,
        "title": "Diff-AGIQA",
        "description": "Quality of AI-generated images given their prompt, seen by Stable Diffusion 1.5.",
        "license": "NOASSERTION",
        "source": "a checkpoint of Diff-AGIQA (github.com/sxfly99/Diff-AGIQA) and Stable Diffusion 1.5",
        "image": {
            "input": IMAGE,
            "width": config.side,
            "height": config.side,
            "resize": "stretch",
            "kernel": "pillow-cubic",
            "layout": "nhwc",
            "dtype": "uint8",
            "minSide": 64,
            "maxAspectRatio": 4,
        },
        "text": {
            "tokenizer": "tokenizer.json",
            "ids": IDS,
            "mask": MASK,
            "dtype": "int64",
            "contextLength": config.context,
            "padId": config.text.vocabulary - 1,  # the end of text, as Stable Diffusion fills up
            "short": {"words": SHORT_WORDS, "tokens": config.text.context},
        },
        "graphs": [
            {"graph": "text", "per": "prompt", "texts": ["{prompt}"]},
            {"graph": "latents", "per": "image"},
            {"graph": "score", "per": "pair"},
        ],
        "aspects": {"quality": quality, "alignment": None, "authenticity": None},
        "reward": {"weights": {"quality": 1}},
        "maxBatch": 4,
        "cpuMaxBatch": 1,
    }
