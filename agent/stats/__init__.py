"""Statistics as pure functions, one to a file."""
