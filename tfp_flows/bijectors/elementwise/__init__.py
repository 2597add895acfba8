"""Maps of each coordinate by itself."""

__all__: list[str] = []
