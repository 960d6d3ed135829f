"""Distances between the reference and the current window."""
