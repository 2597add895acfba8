"""Maps estimated from data that make it more Gaussian."""

__all__: list[str] = []
