"""Maps of each coordinate, given the ones before it."""
