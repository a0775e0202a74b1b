"""Diff-AGIQA: a diffusion model's inner activations, read by a pyramid of convolutions."""
