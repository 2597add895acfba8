"""Maps that change the shape or the scale of images."""
