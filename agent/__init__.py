"""Outrider: a sidecar that tells the owners of a model when the model's world has changed."""
