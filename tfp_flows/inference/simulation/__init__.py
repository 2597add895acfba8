"""Posteriors of what can only be simulated; public names are in `inference`."""

__all__: list[str] = []
