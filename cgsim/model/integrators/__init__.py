"""INTEGRATE: from accelerations to the next positions."""
