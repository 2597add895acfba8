"""Maps that standardise what passes through them."""
