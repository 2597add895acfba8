"""Maps that add something small to their input."""

__all__: list[str] = []
