"""Maps estimated from data that make it more Gaussian."""
