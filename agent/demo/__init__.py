"""A disturbed world in one command."""
