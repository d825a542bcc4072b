"""The method: embed, predict a distribution, refine a sample of it, integrate."""
