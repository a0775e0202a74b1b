"""The node classes, in the order of the menu."""

from .best import AssayBest
from .gate import AssayGate
from .prompt import AssayPrompt
from .score import AssayScore
from .shelf import AssayShelf

NODES = (AssayScore, AssayGate, AssayBest, AssayShelf, AssayPrompt)
