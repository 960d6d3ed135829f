"""Changes of how columns go together, against training."""
