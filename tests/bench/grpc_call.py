"""Three unary calls with the client of ``grpcio``: whether a proxy passes on what gRPC needs, trailers above all.

``python -P tests/bench/grpc_call.py PORT PATH REQUEST_FILE ANSWER_FILE``; both files have gRPC's five bytes in front.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

CALLS = 3
"""More than one: from the second on, headers and trailers may be numbers in HPACK's dynamic table."""

_PREFIX = 5


def main(port: int, path: str, request: bytes, answer: bytes) -> int:
    grpc = importlib.import_module("grpc")
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        ask = channel.unary_unary(path)
        for _ in range(CALLS):
            try:
                got, call = ask.with_call(request, timeout=10)
            except grpc.RpcError as error:
                print(f"the call failed: {error.code()} {error.details()}", file=sys.stderr)
                return 1
            if got != answer or call.code() is not grpc.StatusCode.OK:
                print(f"another answer came than was sent: {call.code()} {got!r}", file=sys.stderr)
                return 1
    return 0


if __name__ == "__main__":
    _port, _path, _request, _answer = sys.argv[1:]
    sys.exit(main(int(_port), _path, Path(_request).read_bytes()[_PREFIX:], Path(_answer).read_bytes()[_PREFIX:]))
