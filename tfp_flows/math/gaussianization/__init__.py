"""Estimates from data: histograms, mixtures, quantiles, directions."""
