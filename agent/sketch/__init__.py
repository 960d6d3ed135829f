"""Mergeable accumulators over whole arrays."""
