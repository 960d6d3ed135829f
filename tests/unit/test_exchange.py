"""The wire of the tap: proxy and monitor come from one image, but a record's layout is still a contract."""

from __future__ import annotations

import msgspec

from agent.exchange import Exchange, Frame, ProxyStats

WIRE = bytes.fromhex(
    "9291"
    + "9f"
    + "a8687474702f312e31"
    + "a4504f5354"
    + "a22f76"
    + "ccc8"
    + "00"
    + "01"
    + "02"
    + "03"
    + "04"
    + "05"
    + "06"
    + "07"
    "c40171" + "c40172" + "c40174" + "c0"
)


def test_a_frame_is_an_array_of_arrays_in_field_order() -> None:
    exchange = Exchange("http/1.1", "POST", "/v", 200, 0, 1, 2, 3, 4, 5, 6, 7, b"q", b"r", b"t")
    assert msgspec.msgpack.encode(Frame([exchange])) == WIRE
    assert msgspec.msgpack.decode(WIRE, type=Frame) == Frame([exchange])


def test_counters_round_trip() -> None:
    frame = Frame([], ProxyStats(exchanges=3, rss_bytes=1 << 33))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(frame), type=Frame) == frame
