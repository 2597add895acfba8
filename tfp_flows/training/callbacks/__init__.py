"""Keras callbacks for training flows."""

__all__: list[str] = []
