"""Fits that add one layer after the other."""

__all__: list[str] = []
