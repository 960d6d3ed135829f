"""Distances between the reference and the current window, for all columns and scales at once."""
