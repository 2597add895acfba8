"""Maps onto spaces that are not flat."""

__all__: list[str] = []
