"""Maps that standardise what passes through them."""

__all__: list[str] = []
