"""The commands, in groups. Each module's `add` puts its own below `python -m assay_training`."""
