"""Roll-outs: from a simulator and a starting frame to trajectories."""
