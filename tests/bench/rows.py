"""The rows that the benches send. Only the standard library: the steady load starts quickly and stays small."""

from __future__ import annotations

import json
import random

FEATURES = 10
PATH = "/v1/models/demo:predict"
ANSWER = '{"predictions":[0.5]}'


def rows(count: int, columns: int = FEATURES, seed: int = 7) -> list[list[float]]:
    """Make rows of standard normal values with eight decimals, so that a body of ten is about 150 bytes."""
    source = random.Random(seed)
    return [[round(source.gauss(0.0, 1.0), 8) for _ in range(columns)] for _ in range(count)]


def bodies(count: int = 256) -> list[bytes]:
    """Write request bodies of one row each, all different."""
    return [json.dumps({"instances": [row]}).encode() for row in rows(count)]


def request(body: bytes, host: str) -> bytes:
    """Write a whole request as it goes over the wire."""
    head = f"POST {PATH} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body
