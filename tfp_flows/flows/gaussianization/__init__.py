"""Flows that are built layer by layer from data."""
