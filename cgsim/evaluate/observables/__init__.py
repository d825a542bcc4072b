"""What is measured on every frame of a trajectory."""
