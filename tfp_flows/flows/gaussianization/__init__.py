"""Flows that are built layer by layer from data."""

__all__: list[str] = []
