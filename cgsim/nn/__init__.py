"""Layers: one file and one formula each."""
