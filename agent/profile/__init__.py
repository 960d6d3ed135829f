"""The training profile: build, write, read, show."""
