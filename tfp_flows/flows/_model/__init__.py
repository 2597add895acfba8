"""Parts of the model behind every flow."""

__all__: list[str] = []
