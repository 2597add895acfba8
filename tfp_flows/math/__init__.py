"""Pure tensor functions: no variables, no classes with state."""
