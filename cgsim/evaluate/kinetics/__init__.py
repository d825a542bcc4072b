"""Slow motions: time-lagged independent components, Markov state models, states."""
