"""Assay's client: scores of images for trainers and other Python programs.

with AssayClient() as assay:
    results = assay.score(images, prompts=prompts)
"""

from .aio import AsyncAssayClient
from .client import AssayClient
from .link.failures import AssayFailure
from .results import AspectScore, Guard, Health, Ranking, Result, Scorer
from .reward_results import MissingReward, RewardComponent, RewardGroup, RewardItem, RewardResult

__all__ = [
    "AspectScore",
    "AssayClient",
    "AssayFailure",
    "AsyncAssayClient",
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
]
