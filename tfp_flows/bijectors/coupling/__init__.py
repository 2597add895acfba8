"""Maps of one half of the coordinates, given the other."""
