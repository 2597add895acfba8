"""Maps of one half of the coordinates, given the other."""

__all__: list[str] = []
