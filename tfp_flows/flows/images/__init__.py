"""Ready-made flows of images."""

__all__: list[str] = []
