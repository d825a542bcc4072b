"""Distributions, autocorrelation and error bars of series."""
