"""Data as it comes, read for training."""
