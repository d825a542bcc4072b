"""Folded proteins: whether a roll-out keeps the fold, and moves as MD does."""
