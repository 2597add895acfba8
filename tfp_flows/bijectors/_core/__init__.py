"""What all maps share: the base class, its cache, checks of arguments."""

__all__: list[str] = []
