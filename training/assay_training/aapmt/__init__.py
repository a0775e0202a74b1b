"""ImageReward, and what AAPMT makes of it: rewards tuned to one aspect each, and the Metric Transformer."""
