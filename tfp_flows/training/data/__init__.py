"""Data as it comes, read for training."""

__all__: list[str] = []
