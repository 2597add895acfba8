"""Maps that change the shape or the scale of images."""

__all__: list[str] = []
