"""Flows that answer for any columns, given any others."""

__all__: list[str] = []
