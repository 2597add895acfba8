"""Maps of each coordinate, given the ones before it."""

__all__: list[str] = []
