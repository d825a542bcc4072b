"""Scores of trajectories against reference MD."""
