"""Scalar maps with parameters, for coupling, autoregressive, elementwise."""

__all__: list[str] = []
