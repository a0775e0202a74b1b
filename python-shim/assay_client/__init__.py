"""Assay's client: scores of images for trainers and other Python programs.

with AssayClient() as assay:
    results = assay.score(images, prompts=prompts)
"""

from .aio import AsyncAssayClient
from .client import AssayClient
from .results import AspectScore, Guard, Health, Ranking, Result, Scorer
from .wire.failures import AssayFailure

__all__ = [
    "AspectScore",
    "AssayClient",
    "AssayFailure",
    "AsyncAssayClient",
    "Guard",
    "Health",
    "Ranking",
    "Result",
    "Scorer",
]
