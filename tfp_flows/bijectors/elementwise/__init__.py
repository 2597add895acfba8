"""Maps of each coordinate by itself."""
