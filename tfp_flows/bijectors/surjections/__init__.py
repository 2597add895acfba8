"""Maps that are no bijections: several points become one, or one becomes several."""

__all__: list[str] = []
