"""Ready-made flows of vectors."""
