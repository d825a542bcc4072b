"""SCORE: the denoiser that refines a sample of the predicted Gaussian."""
