"""Everything that is fitted to ratings, on top of what other people's ratings say.

Quality and alignment are a linear part, on what two heads of others say (SAC and LAION, some 180,000
ratings of AI
images), and a kernel regression, fitted together. Far from all rated images the kernel adds nothing, so
that a kind
of image that nobody rated here is judged by the others alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from assay_training.base.compress import SHAPE
from assay_training.tower.heads import FLOOR, LOSSES
from assay_training.tower.kernel import Kernel, Projection
from assay_training.tower.rounding import Rounded
from assay_training.tower.words import unit

LEVELS = 4  # powers of the quality that the spread depends on
# what squeezing takes at its heaviest: like the other LOSSES, a prior of ours
OWN_LOSSES = LOSSES | {"squeezed": 0.55}
# kinds that are hard to see for the tower
TRUSTED_MORE = {"squeezed": 0.04, "dark": 0.1, "shuffled": 0.15}


@dataclass(frozen=True)
class Settings:
    """Chosen by families left out and inside generators, from the few that LOG.md names."""

    components: int = 384
    landmarks: int = 2048
    gamma: float = 0.4
    strength: float = 0.2
    embedding_share: float = 0.5  # of squared distances, against the statistics
    class_share: float = 3.0  # of squared distances: early class tokens, against other statistics
    opinions: float = 0.1  # variance of the linear part, by opinions of deviation 1
    alignment_strength: float = 0.6
    copy_trust: float = 0.015  # of what damaged copies lose, which is supposed
    same_trust: float = 0.6  # that harmlessly changed copies lose nothing
    webp_trust: float = 2.0  # of those that were saved as WebP, whose mark is faint
    noise_trust: float = 0.05  # that white noise is rated 0
    spread_strength: float = 10.0
    words_gamma: float = 0.5  # in mean squared distances between prompts
    words_strength: float = 0.1
    wrong_share: float = 0.35  # of its rated alignment that an image keeps with another prompt: supposed
    turn: float = 0.1  # share of rated images whose agreement with their own prompt is lower than the turn
    words_floor: float = 0.5  # images rated below this alignment hardly say what their prompt looks like


@dataclass(frozen=True)
class Seen:
    """Features: statistics [N, SIZE] with the embedding as their end, and that [N, EMBEDDING], of
    length 1."""

    statistics: np.ndarray
    embedding: np.ndarray

    @staticmethod
    def of(features: np.ndarray) -> Seen:
        features = np.asarray(features, np.float32)
        return Seen(features, features[:, SHAPE.stats :])

    def __len__(self) -> int:
        return len(self.embedding)


@dataclass(frozen=True)
class Table:
    """What is known of the rated images: ratings [N], meaning of their prompts [N, S], inner folds [N]."""

    quality: np.ndarray
    alignment: np.ndarray
    meaning: np.ndarray
    prompt: np.ndarray
    group: np.ndarray


@dataclass(frozen=True)
class Words:
    """The map from a prompt's meaning into image space: kernel on what is known prompts' [P, S]."""

    known: np.ndarray
    gamma: float
    weight: Rounded  # [P, EMBEDDING]
    usual: np.ndarray  # [EMBEDDING] mean embedding, which everything is a difference to

    def wanted(self, meaning: np.ndarray) -> np.ndarray:
        """[N, EMBEDDING] of length 1: what an image of the prompt would look like."""
        return unit(np.exp(-self.gamma * squared(unit(meaning), self.known)) @ self.weight.value)


@dataclass(frozen=True)
class Heads:
    """All fitted numbers. The graph computes the same as the methods."""

    projection: Projection
    kernel: Kernel
    opinion: np.ndarray  # [EMBEDDING, 2] the heads of others
    opinion_offset: np.ndarray  # [2]
    start: np.ndarray  # [3, 2]: 1 and opinions to quality and alignment
    weight: np.ndarray  # [M, 2]: what the kernel adds to them
    spread: np.ndarray  # [features, 2] log spread of both, see `_doubts`
    words: Words
    mix: np.ndarray = field(default_factory=lambda: np.array([0.0, 1, 0, 0, 0]))  # see `columns`
    turn: float = 0.0  # agreement below which an image hardly shows its prompt

    def judge(self, seen: Seen) -> dict[str, np.ndarray]:
        """What does not depend on the prompt: quality [N], image [N] (alignment by the image alone),
        response."""
        components = self.projection(seen.statistics)
        response = self.kernel(components)
        opinions = seen.embedding @ self.opinion + self.opinion_offset
        both = start(opinions) @ self.start + response @ self.weight
        return {"quality": both[:, 0], "image": both[:, 1], "response": response, "opinions": opinions}

    def quality(self, seen: Seen) -> np.ndarray:
        """[N, 2] (mean, spread) in MOS."""
        found = self.judge(seen)
        return np.stack([found["quality"], self.spreads(found)[:, 0]], 1)

    def spreads(self, found: dict[str, np.ndarray]) -> np.ndarray:
        """[N, 2] of what `judge` returned."""
        return np.maximum(np.exp(doubts(found) @ self.spread), FLOOR)

    def agreement(self, seen: Seen, wanted: np.ndarray) -> np.ndarray:
        """[N] cosine of the image and what it should look like, both as differences to the usual one."""
        return (unit(seen.embedding - self.words.usual) * wanted).sum(1)

    def alignment(self, seen: Seen, wanted: np.ndarray) -> np.ndarray:
        """[N, 2] (mean, spread) in MOS."""
        found = self.judge(seen)
        return np.stack([self.aligned(found, seen, wanted), self.spreads(found)[:, 1]], 1)

    def aligned(self, found: dict[str, np.ndarray], seen: Seen, wanted: np.ndarray) -> np.ndarray:
        """[N] mean alignment; `found` is what `judge` returned."""
        return columns(found["image"], found["quality"], self.agreement(seen, wanted), self.turn) @ self.mix


def squared(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """[N, M] squared distances of rows."""
    return np.maximum((a * a).sum(1)[:, None] + (b * b).sum(1)[None] - 2 * a @ b.T, 0)


def start(opinions: np.ndarray) -> np.ndarray:
    """Columns that a rating starts from."""
    return np.column_stack([np.ones(len(opinions)), opinions])


def columns(image: np.ndarray, quality: np.ndarray, agreement: np.ndarray, turn: float) -> np.ndarray:
    """Columns of the last step of alignment; the last is what agreement lacks."""
    return np.column_stack([np.ones(len(image)), image, quality, agreement, np.maximum(turn - agreement, 0)])


def doubts(found: dict[str, np.ndarray]) -> np.ndarray:
    """[N, LEVELS + M] what the spread is read off: powers of the quality, and the kernel's response."""
    level = found["quality"][:, None]
    return np.concatenate([level**power for power in range(LEVELS)] + [found["response"]], 1)
