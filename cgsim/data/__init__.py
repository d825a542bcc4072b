"""Mapped trajectories as what networks learn from: graphs, windows, batches, scales."""
