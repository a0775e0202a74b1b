"""Trains, measures and exports the scorers that Assay ships. Start with `python -m assay_training --help`."""
