"""Ready-made flows of images."""
