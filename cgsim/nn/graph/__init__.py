"""Which pairs of beads talk to each other, and how their messages are added up."""
