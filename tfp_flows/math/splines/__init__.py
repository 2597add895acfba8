"""Rational-quadratic splines and tables."""
