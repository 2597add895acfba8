"""Products, triangles and rotations."""
