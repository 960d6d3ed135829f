"""Wire formats to columns."""
