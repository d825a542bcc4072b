"""Tests for simulators, ours or yours: exact symmetries, batches, small and exact systems."""
