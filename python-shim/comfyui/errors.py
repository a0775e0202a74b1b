"""Texts of the errors that the nodes themselves can meet, by code."""

from .definitions import ERRORS

__all__ = ["ERRORS"]
