"""The net's graphs as checked ONNX files.

    image: uint8 [n, S, S, 3]                  -> image_features [n, joint], of length 1
    text:  ids [n, 1, L]                       -> text_features [n, joint], of length 1
    score: image_features (and text_features)  -> one number [n, 1] an aspect

The image graph holds nothing of the formula: scorers of one CLIP have the same file, so that the daemon looks
at an image once for all. `text` is only there where the prompt is asked for; other texts are constants.

A file of ONNX holds 2 GB, less than the image tower of ViT-H/14 in float32. Such a tower is cut in two: then
image_features are the tokens [n, T, width] behind the first half, and `score` holds the second.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from assay_training.checkpoints import CheckpointError
from assay_training.clip.model import Clip, causal_mask, normalised, unit
from assay_training.clip.model import at_end as read_at_end
from assay_training.onnx_export import export

IMAGE, IDS, SEEN, MEANT = "image", "ids", "image_features", "text_features"
MOST_BYTES = 1_900_000_000  # of weights in one file


class FirstHalf(nn.Module):
    """Image to features of length 1, or to the tokens before block `stop`."""

    def __init__(self, clip: Clip, stop: int | None) -> None:
        super().__init__()
        self.visual, self.stop = clip.visual, stop

    def forward(self, image: Tensor) -> Tensor:
        """uint8 RGB [N, side, side, 3] to float32 [N, joint] or [N, T, width]."""
        if self.stop is None:
            return unit(self.visual(normalised(image)))
        x = self.visual.embed(normalised(image))
        for block in self.visual.transformer.resblocks[: self.stop]:
            x = block(x)
        return x


class SecondHalf(nn.Module):
    """Tokens before block `start` to features of length 1."""

    def __init__(self, clip: Clip, start: int) -> None:
        super().__init__()
        self.visual, self.start = clip.visual, start

    def forward(self, x: Tensor) -> Tensor:
        """[N, T, width] to [N, joint]."""
        for block in self.visual.transformer.resblocks[self.start :]:
            x = block(x)
        return unit(self.visual.read(x))


class TextGraph(nn.Module):
    """Texts to features of length 1; the causal mask is a constant."""

    def __init__(self, clip: Clip) -> None:
        super().__init__()
        self.clip = clip
        mask = causal_mask(clip.config.context, clip.positional_embedding.detach())
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, ids: Tensor) -> Tensor:
        """int64 [N, 1, L] to [N, joint]."""
        clip, ids = self.clip, ids[:, 0]
        x = clip.transformer(clip.token_embedding(ids) + clip.positional_embedding, self.mask)
        return unit(read_at_end(clip.ln_final(x), ids) @ clip.text_projection)


class Cosine(nn.Module):
    """Features to their cosine, times a factor."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, seen: Tensor, meant: Tensor) -> Tensor:
        """[N, joint] twice to [N, 1]."""
        return self.factor * (seen * meant).sum(-1, keepdim=True)


class Antonyms(nn.Module):
    """Features of images to shares of the good texts: a softmax of two is a sigmoid of their difference."""

    def __init__(self, good: Tensor, bad: Tensor, scale: float) -> None:
        """good, bad: [A, joint], of length 1."""
        super().__init__()
        self.register_buffer("difference", (scale * (good - bad).double()).T.float().contiguous())

    def forward(self, seen: Tensor) -> Tensor:
        """[N, joint] to [N, A]."""
        return (seen @ self.difference).sigmoid()


class ScoreGraph(nn.Module):
    """The rest of the image tower, if it was cut, and the formula."""

    def __init__(self, rest: nn.Module, formula: nn.Module, aspects: int) -> None:
        super().__init__()
        self.rest, self.formula, self.aspects = rest, formula, aspects

    def forward(self, image_features: Tensor, text_features: Tensor | None = None) -> tuple[Tensor, ...]:
        """To [N, 1] an aspect."""
        seen = self.rest(image_features)
        found = self.formula(seen) if text_features is None else self.formula(seen, text_features)
        return tuple(found[:, index : index + 1] for index in range(self.aspects))


def export_graphs(
    clip: Clip,
    formula: nn.Module,
    aspects: tuple[str, ...],
    work: Path,
    most_bytes: int = MOST_BYTES,
) -> dict[str, Path]:
    """Writes WORK/{image,text,score}.onnx, checked against torch; no text.onnx where the formula reads none.

    Raises CheckpointError if the image tower is too large for two files.
    """
    cut = cut_of(clip, most_bytes)
    with_text = isinstance(formula, Cosine)
    names = ("image", "text", "score") if with_text else ("image", "score")
    paths = {name: work / f"{name}.onnx" for name in names}
    image = example_image(clip)
    first = FirstHalf(clip, cut)
    export(first, {IMAGE: image}, [SEEN], paths["image"])
    with torch.no_grad():
        args = {SEEN: first(image)}
    if with_text:
        ids = example_ids(clip)
        export(TextGraph(clip), {IDS: ids}, [MEANT], paths["text"])
        with torch.no_grad():
            args[MEANT] = TextGraph(clip)(ids)
    rest = nn.Identity() if cut is None else SecondHalf(clip, cut)
    export(ScoreGraph(rest, formula, len(aspects)), args, list(aspects), paths["score"])
    return paths


def cut_of(clip: Clip, most_bytes: int) -> int | None:
    """The block with which the second half begins; None if the image tower fits one file.

    Raises CheckpointError if two do not hold it.
    """
    size = sum(value.numel() for value in clip.visual.parameters()) * 4
    if size <= most_bytes:
        return None
    blocks = len(clip.visual.transformer.resblocks)
    if blocks < 2 or size > 2 * most_bytes:
        raise CheckpointError(
            f"the image tower of this CLIP has {size / 1e9:.1f} GB of weights; expected at most "
            f"{2 * most_bytes / 1e9:.1f} GB, which is what two ONNX files hold"
        )
    return blocks // 2


def example_image(clip: Clip) -> Tensor:
    """uint8 [1, side, side, 3] of noise."""
    generator = torch.Generator().manual_seed(0)
    side = clip.config.side
    return torch.randint(256, (1, side, side, 3), generator=generator, dtype=torch.uint8)


def example_ids(clip: Clip) -> Tensor:
    """int64 [1, 1, L]: a text that ends in the middle."""
    config, generator = clip.config, torch.Generator().manual_seed(0)
    ids = torch.randint(1, config.vocabulary - 2, (1, 1, config.context), generator=generator)
    end = config.context // 2
    ids[..., 0], ids[..., end], ids[..., end + 1 :] = config.vocabulary - 2, config.vocabulary - 1, 0
    return ids
