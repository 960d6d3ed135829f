"""The wire of the tap: proxy and monitor come from one image, but a record's layout is still a contract."""

from __future__ import annotations

import msgspec

from agent.exchange import BARE_WIDTH, Bare, Exchange, Frame, ProxyStats

WIRE = bytes.fromhex(
    "93"  # exchanges, stats, bare
    "91dc0013a467727063a4504f5354a22f76ccc80001020304050607c40171c40172c40174"
    "0d0809c4016d"  # what streams and gRPC added, at the end
    "c090"
)


def test_a_frame_is_an_array_of_arrays_in_field_order() -> None:
    exchange = Exchange("grpc", "POST", "/v", 200, 0, 1, 2, 3, 4, 5, 6, 7, b"q", b"r", b"t", 13, 8, 9, b"m")
    assert msgspec.msgpack.encode(Frame([exchange])) == WIRE
    assert msgspec.msgpack.decode(WIRE, type=Frame) == Frame([exchange])


def test_counters_round_trip() -> None:
    frame = Frame([], ProxyStats(exchanges=3, rss_bytes=1 << 33))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(frame), type=Frame) == frame


def test_bare_exchanges_round_trip() -> None:
    frame = Frame([], None, [Bare("http/1.1", "POST", "/v", 200, 0, -1, bytes(8 * BARE_WIDTH))])
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(frame), type=Frame) == frame
