"""The data plane: bytes in, the same bytes out, and a copy for the monitor."""
