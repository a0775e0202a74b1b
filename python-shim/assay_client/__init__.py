"""Assay's client: scores of images for trainers and other Python programs.

with AssayClient() as assay:
    results = assay.score(images, prompts=prompts)
"""

from .aio import AsyncAssayClient
from .client import AssayClient
from .link.failures import AssayFailure
from .results import AspectScore, Guard, Health, Ranking, Result, Scorer
from .reward_results import MissingReward, RewardComponent, RewardGroup, RewardItem, RewardResult
from .study import Study, Trial
from .studying import AsyncStudy, AsyncTrial
from .trial import Winner

__all__ = [
    "AspectScore",
    "AssayClient",
    "AssayFailure",
    "AsyncAssayClient",
    "AsyncStudy",
    "AsyncTrial",
    "Guard",
    "Health",
    "MissingReward",
    "Ranking",
    "Result",
    "RewardComponent",
    "RewardGroup",
    "RewardItem",
    "RewardResult",
    "Scorer",
    "Study",
    "Trial",
    "Winner",
]
