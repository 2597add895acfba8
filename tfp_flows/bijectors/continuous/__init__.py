"""Maps that follow a velocity through time."""

__all__: list[str] = []
