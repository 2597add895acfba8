"""What a training step minimises besides the likelihood."""

__all__: list[str] = []
