"""Pictures that are all different, so that no result is remembered."""

import numpy as np

SIDE = 512
PROMPT = "blots of colour"


def pictures(count: int, seed: int, side: int = SIDE) -> np.ndarray:
    """uint8 NHWC."""
    random = np.random.default_rng(seed)
    grain = random.integers(0, 12, (side, side, 1), dtype=np.uint8)
    small = random.integers(0, 240, (count, 8, 8, 3), dtype=np.uint8)
    return np.stack([one.repeat(side // 8, axis=0).repeat(side // 8, axis=1) + grain for one in small])
