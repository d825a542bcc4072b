"""NOISE: Gaussians over the accelerations of all beads, and the networks that give them."""
