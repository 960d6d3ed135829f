"""Fuzz a link, guided by coverage: ``python -m tests.fuzz.atheris_followers [seconds] [folder of a corpus]``.

It starts from the recorded captures, where they are there, and a few conversations by hand. What breaks is left in the working
directory as ``crash-*``; give that file instead of the folder to see it again.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

LONGEST = 1 << 16

TOKENS = [
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 101 Switching Protocols\r\n", b"\r\n\r\n",
    b"Content-Length: ", b"Transfer-Encoding: chunked\r\n", b"Upgrade: h2c\r\n", b"Connection: Upgrade\r\n",
    b"Expect: 100-continue\r\n", b"0\r\n\r\n", b"POST / HTTP/1.1\r\n", b"HEAD / HTTP/1.1\r\n", b"CONNECT m:1 HTTP/1.1\r\n",
    b"\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    b"\x00\x00\x00\x01\x05\x00\x00\x00\x01", b"\x00\x00\x04\x03\x00\x00\x00\x00\x01",
]  # fmt: skip


def seeds() -> list[bytes]:
    from tests.exchanges import CAPTURES  # noqa: PLC0415 - see below
    from tests.fuzz.links import CLIENT, CLIENT_ENDS, CONNECT, UPSTREAM, UPSTREAM_ENDS, Step, bytes_of  # noqa: PLC0415
    from tests.http2 import (  # noqa: PLC0415
        GRPC,
        GRPC_ANSWER,
        OPENING,
        data,
        frame,
        goaway,
        headers,
        in_pieces,
        literal,
        message,
        plain,
        rst,
    )

    trailers = headers(1, plain([("grpc-status", "0")]), last=True)
    by_hand: list[list[Step]] = [
        [
            (CONNECT, b""),
            (CLIENT, OPENING + headers(1, plain(GRPC)) + data(1, message(b"q"), last=True)),
            (UPSTREAM, frame(4) + headers(1, plain(GRPC_ANSWER)) + data(1, message(b"a"), flags=8) + trailers),
            (CLIENT, in_pieces(3, literal("a", "b") + b"\xbe", 2) + rst(3)),
            (UPSTREAM, goaway(1)),
            (CLIENT_ENDS, b""),
        ],
        [
            (CLIENT, b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n"),
            (CONNECT, b""),
            (UPSTREAM, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\nx"),
            (UPSTREAM_ENDS, b""),
        ],
        [
            (CONNECT, b""),
            (CLIENT, b"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nmore"),
            (UPSTREAM, b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nmore"),
        ],
    ]
    captures = sorted(CAPTURES.rglob("*.req")) if CAPTURES.is_dir() else []
    pairs = [(path.read_bytes(), path.with_suffix(".resp").read_bytes()) for path in captures]
    recorded: list[list[Step]] = [[(CONNECT, b""), (CLIENT, sent), (UPSTREAM, received)] for sent, received in pairs]
    return [bytes_of(steps) for steps in (*by_hand, *recorded)]


def main() -> None:
    # Imported here, because pytest imports this module as it does all others: only under the fuzzer is the proxy instrumented.
    import atheris  # noqa: PLC0415

    with atheris.instrument_imports(include=["agent.proxy"]):
        from tests.fuzz.links import Play, steps_of  # noqa: PLC0415

    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    place = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(tempfile.mkdtemp(prefix="followers-"))
    if not place.is_file():
        place.mkdir(exist_ok=True)
        for number, seed in enumerate(seeds()):
            (place / f"seed-{number}").write_bytes(seed[:LONGEST])
    with tempfile.NamedTemporaryFile("w", suffix=".dict") as tokens:
        for token in TOKENS:
            signs = "".join(f"\\x{byte:02x}" for byte in token)
            tokens.write(f'"{signs}"\n')
        tokens.flush()
        options = [f"-max_total_time={seconds}", f"-max_len={LONGEST}", f"-dict={tokens.name}", "-timeout=20", str(place)]
        atheris.Setup([sys.argv[0], *options], lambda given: Play().run(steps_of(given)))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
