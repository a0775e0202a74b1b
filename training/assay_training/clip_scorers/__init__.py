"""Scorers that are CLIP and a formula: a row of `presets.PRESETS` each."""
