"""Figures as the results files and the cards show them."""

from __future__ import annotations


def with_ci(entry: dict) -> str:
    """A value with its 95 % interval."""
    return f"{entry['value']:.3f} ({entry['ci'][0]:.3f} to {entry['ci'][1]:.3f})"


def shortened(value: object, digits: int = 4) -> object:
    """Results with floats rounded, so that the committed file stays readable."""
    if isinstance(value, dict):
        return {key: shortened(entry, digits) for key, entry in value.items()}
    if isinstance(value, list):
        return [shortened(entry, digits) for entry in value]
    return round(value, digits) if isinstance(value, float) else value
