"""HTTP/2 with prior knowledge: passed on byte for byte, and followed."""
