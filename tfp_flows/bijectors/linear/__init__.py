"""Linear and affine maps, rotations, permutations."""
