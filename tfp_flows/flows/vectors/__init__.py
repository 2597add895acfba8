"""Ready-made flows of vectors."""

__all__: list[str] = []
