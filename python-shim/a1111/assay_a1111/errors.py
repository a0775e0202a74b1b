"""Texts of the errors that the extension itself can meet, by code."""

from .definitions import ERRORS

__all__ = ["ERRORS"]
