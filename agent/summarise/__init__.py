"""Unstructured values as a few columns of numbers that can be watched: vectors, images, texts. Pure functions of arrays."""
