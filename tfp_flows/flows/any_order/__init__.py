"""Flows that answer for any columns, given any others."""
