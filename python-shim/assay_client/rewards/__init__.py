"""Rewards in the contracts that trainers already call; docs/rewards.md has a block for each of them.

Adapters for one trainer are in the module of its name. A failure is never 0.0: each adapter says what it gives instead.
"""

from .measures import Measure, Missing
from .triple import triple

__all__ = ["Measure", "Missing", "triple"]
