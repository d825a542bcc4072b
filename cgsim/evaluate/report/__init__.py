"""The report: a self-contained page with figures and a 3-D player."""
