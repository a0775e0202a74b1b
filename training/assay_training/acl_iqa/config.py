"""Sizes, the choices on which paper and code differ, and the texts of ACL-IQA."""

from __future__ import annotations

from dataclasses import dataclass, field

from assay_training.clip.model import ClipConfig
from assay_training.data import DataError

VARIANTS = ("acl", "conv-moe")
COMBINES = ("logsumexp", "gated-logsumexp", "weighted-sum")
AVERAGES = ("logits", "probabilities")
TASKS = ("quality", "alignment", "authenticity")

QUALITY_GRADES = tuple(f"A photo of {c} quality" for c in ("bad", "poor", "fair", "good", "perfect"))
ALIGNMENT_GRADES = tuple(
    f"a photo that {c} matches '{{prompt}}'" for c in ("badly", "poorly", "fairly", "well", "perfectly")
)
GRADES = {"quality": QUALITY_GRADES, "alignment": ALIGNMENT_GRADES, "authenticity": ALIGNMENT_GRADES}
LEVELS = (0.0, 1.25, 2.5, 3.75, 5.0)  # of the grades, on the scale of the score
INSTRUCTIONS = {  # col, adv
    "quality": (
        "In a photo like '{prompt}', using alignment to assist in evaluating image quality",
        "In a photo like '{prompt}', excluding consideration of alignment when evaluating image quality",
    ),
    "alignment": (
        "In a photo like '{prompt}', using image quality to assist in evaluating alignment",
        "In a photo like '{prompt}', excluding consideration of image quality when evaluating alignment",
    ),
}


@dataclass(frozen=True)
class Views:
    """How windows are cut from an image; the manifest's `image.windows` has the same names."""

    count: int = 15  # windows at test time
    training: int = 8  # windows at training time, drawn at random
    stride: int = 32
    large_stride: int = 48
    large_side: int = 1024  # images with a side of so many pixels take the large stride
    enlarge_to: int = 512  # shorter sides are brought to this


@dataclass(frozen=True)
class AclConfig:
    """One net. Defaults are upstream's code at its last revision.

    combine: how the chosen experts become one output. `logsumexp`: log of the sum of exp(expert), gate values
    ignored (the code); `gated-logsumexp`: the same, each weighted by its gate (an earlier revision);
    `weighted-sum`: the sum weighted by the gates (the paper, Eq. 4).
    average: of the windows, before the softmax over grades (`logits`, the code) or after (`probabilities`,
    Eq. 12).
    """

    task: str = "quality"
    variant: str = "acl"
    combine: str = "logsumexp"
    average: str = "logits"
    bottleneck: int = 8  # channels inside an expert
    chosen: int = 3  # experts of six that are used
    clip: ClipConfig = field(default_factory=ClipConfig)
    views: Views = field(default_factory=Views)

    def __post_init__(self) -> None:
        for name, known in (
            ("task", TASKS),
            ("variant", VARIANTS),
            ("combine", COMBINES),
            ("average", AVERAGES),
        ):
            if getattr(self, name) not in known:
                raise DataError(f"{name}: expected one of {', '.join(known)}, found {getattr(self, name)!r}")

    @property
    def paths(self) -> tuple[str, ...]:
        """Suffixes of what exists once a path: collaborative and adversarial, or empty for a single path."""
        return ("_col", "_adv") if self.variant == "acl" else ("",)

    @property
    def moe_blocks(self) -> tuple[int, ...]:
        """Numbers of the vision blocks with experts: the odd ones."""
        return tuple(range(1, self.clip.layers, 2))

    @property
    def grades(self) -> tuple[str, ...]:
        """The five graded texts, worst first."""
        return GRADES[self.task]

    @property
    def same_grades(self) -> bool:
        """Whether the graded texts are the same for every prompt."""
        return not any("{prompt}" in text for text in self.grades)

    @property
    def other_grades(self) -> tuple[str, ...]:
        """Those of the other task, which only training uses."""
        return ALIGNMENT_GRADES if self.task == "quality" else QUALITY_GRADES

    @property
    def instructions(self) -> tuple[str, ...]:
        """One text a path. The single path reads the bare prompt.

        Raises DataError for authenticity with two paths: no instruction for it was published.
        """
        if self.variant == "conv-moe":
            return ("{prompt}",)
        if self.task not in INSTRUCTIONS:
            raise DataError(f"task {self.task} is only known with the variant conv-moe")
        return INSTRUCTIONS[self.task]
