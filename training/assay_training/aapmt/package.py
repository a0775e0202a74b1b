"""From a checkpoint to what a model folder is made of: graphs, tokenizer, manifest and card."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from assay_training.aapmt.card import card
from assay_training.aapmt.checkpoint import load
from assay_training.aapmt.config import ASPECTS, FEATURES, FULL, HEADS, QUALITY_TEXTS, TEXTS, Config, Reading
from assay_training.aapmt.export import IDS, IMAGE, MASK, export_graphs
from assay_training.blip.tokenizer import CONTEXT, write_tokenizer
from assay_training.checkpoints import CheckpointError
from assay_training.convert import System

VERSION = "1.0.0"
BASE, TUNED = "image-reward", "aapmt"  # ids
REWARD_RANGE, MOS_RANGE = (-3, 3), (0, 5)
WEIGHTS = {
    "quality": 0.5,
    "alignment": 1,
    "authenticity": 0,
}  # of ImageReward, which was trained with prompts
TUNED_WEIGHTS = {"quality": 1, "alignment": 0.5, "authenticity": 0}


def prepare(
    checkpoint: Path,
    tokenizer: Path | None,
    work: Path,
    *,
    aspect: str | None = None,
    aspect_prompts: bool = True,
    quality_text: int = 2,
    heads: str = "as-trained",
    features: str = "own",
    config: Config = FULL,
) -> System:
    """Writes graphs and tokenizer.json into WORK, which is made.

    aspect: what the reward was tuned to; None for ImageReward itself and for Metric Transformers.
    aspect_prompts: whether ImageReward also predicts quality and authenticity, by texts that ask for them.
    quality_text: which of QUALITY_TEXTS. heads, features: how a Metric Transformer is read (HEADS, FEATURES).
    tokenizer: vocab.txt or tokenizer.json of bert-base-uncased; None for the one in this repository.
    Raises CheckpointError or DataError for files that do not fit, ValueError for unknown options.
    """
    _require("aspect", aspect, (None, *ASPECTS))
    _require("quality_text", quality_text, QUALITY_TEXTS)
    _require("heads", heads, HEADS)
    _require("features", features, FEATURES)
    work.mkdir(parents=True, exist_ok=True)
    write_tokenizer(tokenizer, work / "tokenizer.json")
    loaded = load(checkpoint, config)
    metric = loaded.model.metric
    if metric and aspect:
        raise CheckpointError(f"{checkpoint}: a Metric Transformer predicts all aspects, not {aspect} alone")
    if not metric and (heads, features) != ("as-trained", "own"):
        raise CheckpointError(
            f"{checkpoint}: holds no Metric Transformer, which heads and features are about"
        )
    reading = reading_of(metric, aspect, aspect_prompts, heads, features)
    texts = TEXTS | {"quality": QUALITY_TEXTS[quality_text]}
    return System(
        graphs=export_graphs(loaded.model, config, reading, work),
        tokenizer=work / "tokenizer.json",
        manifest=manifest_of(reading, metric, [texts[name] for name in reading.aspects], config),
        card=card(reading, loaded, texts),
    )


def _require(option: str, value: object, known: Iterable[object]) -> None:
    if value not in known:
        raise ValueError(f"{option}: expected one of {', '.join(map(str, known))}, found {value}")


def reading_of(metric: bool, aspect: str | None, aspect_prompts: bool, heads: str, features: str) -> Reading:
    """How the numbers of a Metric Transformer, of a reward tuned to `aspect`, or of ImageReward are read."""
    if metric:
        return Reading(ASPECTS, heads=heads, features=features)
    if aspect:
        return Reading((aspect,))
    return Reading(ASPECTS if aspect_prompts else ("alignment",), normalised=True)


def manifest_of(reading: Reading, metric: bool, texts: list[str], config: Config) -> dict:
    """The manifest without variants and files."""
    base, side = reading.normalised, config.vision.side
    known = {
        name: {
            "output": name,
            "kind": "mean",
            "range": list(REWARD_RANGE if base else MOS_RANGE),
            "needsPrompt": name == "alignment",
        }
        for name in reading.aspects
    }
    weights = WEIGHTS if base else TUNED_WEIGHTS
    if len(reading.aspects) == 1:
        weights = dict.fromkeys(reading.aspects, 1)
    return {
        "manifestVersion": 1,
        "id": BASE if base else TUNED,
        "version": VERSION,
        "title": "ImageReward" if base else "AAPMT",
        "description": description(reading, metric),
        "license": "Apache-2.0" if base else "NOASSERTION",
        "source": "ImageReward.pt of THUDM/ImageReward on Hugging Face" if base else "an AAPMT training run",
        "backend": "onnx",
        "image": {
            "input": IMAGE,
            "width": side,
            "height": side,
            "resize": "cover",
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
            "contextLength": CONTEXT,
            "padId": 0,
        },
        "graphs": [
            {"graph": "image", "per": "image"},
            {"graph": "score", "per": "pair", "texts": texts},
        ],
        "aspects": {name: known.get(name) for name in ASPECTS},
        "reward": {"weights": {name: weights[name] for name in reading.aspects}},
        "maxBatch": 8,
        "cpuMaxBatch": 1,
    }


def description(reading: Reading, metric: bool) -> str:
    """A sentence for lists of scorers."""
    if reading.normalised:
        return (
            "Human preference for an image given its prompt: ImageReward, asked about each aspect by a text."
        )
    if metric:
        return "Opinion scores of AI-generated images: ImageReward with the Metric Transformer of AAPMT."
    return f"Opinion scores of AI-generated images: ImageReward tuned to {reading.aspects[0]} by AAPMT."
