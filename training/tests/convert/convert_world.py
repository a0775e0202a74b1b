"""A tiny system in three steps with random weights: texts, windows of an image, and both together."""

from __future__ import annotations

from pathlib import Path

import onnx
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import Tensor, nn

from assay_training.convert import System
from assay_training.onnx_export import export

WORDS = 40
CONTEXT = 8
SIDE = 32
LEVELS = [0, 1.25, 2.5, 3.75, 5]
TEXTS = ["a photo of {prompt}", "no {prompt} at all"]


class Prompt(nn.Module):
    """Mean of the embeddings of each text, side by side: `context` [n, 32]."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, 16)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        weights = mask.float()[..., None]
        return ((self.words(ids) * weights).sum(2) / weights.sum(2)).flatten(1)


class Picture(nn.Module):
    """Rows of the mean window and of the whole: `seen` [n, 48]."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = nn.Linear(SIDE * 3, 192)  # of [n, 32, 96], which is exported as Transpose and MatMul
        self.all = nn.Linear(SIDE * 192, 48)  # of [n, 6144], which is exported as Gemm

    def forward(self, windows: Tensor, whole: Tensor) -> Tensor:
        pixels = (windows.float().mean(1) + 0.3 * whole) / 255 - 0.6
        return torch.tanh(self.all(torch.tanh(self.rows(pixels.flatten(2))).flatten(1)))


class Score(nn.Module):
    """`quality`, five probabilities, and `alignment`, one number."""

    def __init__(self) -> None:
        super().__init__()
        self.quality, self.alignment = nn.Linear(48, 5), nn.Linear(80, 1)

    def forward(self, context: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        both = torch.cat([torch.tanh(context), seen], 1)
        return torch.softmax(3 * self.quality(seen), 1), torch.tanh(self.alignment(both))


class World:
    """Modules, and the system they were exported to."""

    def __init__(self, work: Path) -> None:
        torch.manual_seed(0)
        self.prompt, self.picture, self.score = Prompt().eval(), Picture().eval(), Score().eval()
        with torch.no_grad():
            self.picture.all.weight.mul_(6)
        graphs = {name: work / f"{name}.onnx" for name in ("prompt", "picture", "score")}
        ids = torch.randint(0, WORDS, (1, 2, CONTEXT))
        export(self.prompt, {"ids": ids, "mask": torch.ones_like(ids)}, ["context"], graphs["prompt"])
        views = torch.randint(0, 256, (1, 2, SIDE, SIDE, 3), dtype=torch.uint8)
        inputs = {"windows": views, "whole": views[:, 0].float()}
        export(self.picture, inputs, ["seen"], graphs["picture"])
        _free_windows(graphs["picture"])
        inputs = {"context": torch.rand(1, 32), "seen": torch.rand(1, 48)}
        export(self.score, inputs, ["quality", "alignment"], graphs["score"])
        tokenizer(WORDS).save(str(work / "tokenizer.json"))
        text = "# Tiny\n\nRandom weights."
        self.system = System(graphs, work / "tokenizer.json", manifest(), text, windows=(15, 4, 1))

    def expected(self, windows: Tensor, whole: Tensor, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Probabilities [n, 5] and alignment [n, 1] by torch."""
        with torch.no_grad():
            return self.score(self.prompt(ids, mask), self.picture(windows, whole))


def tokenizer(words: int) -> Tokenizer:
    """Single words between [CLS] and [SEP]; those that are not known are [UNK]. It has padding of its own."""
    known = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "photo", "of", "no", "at", "all", "cat", "dog"]
    known += [f"word{number}" for number in range(words - len(known))]
    found = Tokenizer(models.WordLevel({word: id for id, word in enumerate(known)}, unk_token="[UNK]"))
    found.pre_tokenizer = pre_tokenizers.Whitespace()
    special = [("[CLS]", 2), ("[SEP]", 3)]
    found.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=special)
    found.enable_padding(length=CONTEXT)
    return found


def manifest() -> dict:
    """What a system says of itself."""
    rule = {"count": 15, "stride": 16, "largeStride": 32, "largeSide": 1000, "enlargeTo": 400}
    return {
        "id": "tiny",
        "version": "1.0.0",
        "title": "Tiny",
        "description": "Nothing.",
        "license": "Apache-2.0",
        "source": "a test",
        "image": {
            "input": "windows",
            "width": SIDE,
            "height": SIDE,
            "resize": "windows",
            "kernel": "pillow-linear",
            "layout": "nhwc",
            "dtype": "uint8",
            "windows": rule | {"whole": "whole"},
            "minSide": 64,
            "maxAspectRatio": 4,
        },
        "text": {"ids": "ids", "mask": "mask", "dtype": "int64", "contextLength": CONTEXT, "padId": 0},
        "graphs": [
            {"graph": "prompt", "per": "prompt", "texts": TEXTS},
            {"graph": "picture", "per": "image"},
            {"graph": "score", "per": "pair"},
        ],
        "aspects": {
            "quality": {
                "output": "quality",
                "kind": "distribution",
                "levels": LEVELS,
                "range": [0, 5],
                "needsPrompt": False,
            },
            "alignment": {"output": "alignment", "kind": "mean", "range": [-1, 1], "needsPrompt": True},
            "authenticity": None,
        },
        "reward": {"weights": {"quality": 1, "alignment": 0.5}},
        "maxBatch": 4,
        "cpuMaxBatch": 1,
    }


def _free_windows(path: Path) -> None:
    """Lets the graph take any number of windows; nothing in it depends on theirs."""
    model = onnx.load(path)
    (found,) = [entry for entry in model.graph.input if entry.name == "windows"]
    found.type.tensor_type.shape.dim[1].dim_param = "windows"
    del model.graph.value_info[:]
    onnx.save(model, path)
