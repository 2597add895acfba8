"""Scalar maps with parameters, for coupling, autoregressive, elementwise."""
