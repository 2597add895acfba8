"""Fits that add one layer after the other."""
