"""Linear and affine maps, rotations, permutations."""

__all__: list[str] = []
