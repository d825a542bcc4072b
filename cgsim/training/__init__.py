"""Training and fine-tuning of simulators."""
