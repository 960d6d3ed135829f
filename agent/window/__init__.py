"""Panes of sketches in a ring, and the windows merged from them."""
