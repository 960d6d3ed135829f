"""The monitor's reading of frames."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import msgspec

from agent import config
from agent.exchange import Exchange, Frame, ProxyStats
from agent.monitor import TapReader
from agent.pipeline import Pipeline
from tests.unit.proxy.fakes import FakeTransport

EXCHANGE = Exchange("http/1.1", "GET", "/v2/health/live", 200, 0, 0, 1, 2, 3, 4, 5, 6, b"", b"")


class Spans:
    """Stands for the telemetry; only spans of what was taken in matter here."""

    def __init__(self) -> None:
        self.recorded = 0

    def record(self, exchanges: list[Exchange], routes: list[str], scored: dict[bytes, object]) -> None:
        assert not scored
        assert len(exchanges) == len(routes)
        self.recorded += len(exchanges)


def frame(*exchanges: Exchange, stats: ProxyStats | None = None) -> bytes:
    payload = msgspec.msgpack.encode(Frame(list(exchanges), stats))
    return len(payload).to_bytes(4, "little") + payload


def read(*pieces: bytes) -> tuple[Pipeline, Spans, FakeTransport]:
    """Feed pieces, then the end of the stream."""

    async def feed() -> tuple[Pipeline, Spans, FakeTransport]:
        pipeline = Pipeline(config.load({}), None)
        spans, transport = Spans(), FakeTransport()
        reader = TapReader(pipeline, cast("Any", spans))
        reader.connection_made(transport.as_transport)
        for piece in pieces:
            reader.data_received(piece)
        reader.eof_received()
        reader.connection_lost(None)
        await reader.ended
        return pipeline, spans, transport

    return asyncio.run(feed())


def test_each_frame_is_answered_once_its_records_are_taken_in() -> None:
    pipeline, spans, transport = read(frame(EXCHANGE, EXCHANGE), frame(EXCHANGE, stats=ProxyStats(exchanges=3)))
    assert transport.written == b"\x01\x01"
    assert spans.recorded == 3
    assert sum(calls.duration.count for calls in pipeline.activity.calls.values()) == 3
    assert pipeline.activity.proxy.exchanges == 3


def test_frames_may_come_byte_by_byte() -> None:
    stream = frame(EXCHANGE) + frame(EXCHANGE, EXCHANGE)
    _, spans, transport = read(*(stream[place : place + 1] for place in range(len(stream))))
    assert spans.recorded == 3
    assert transport.written == b"\x01\x01"


def test_a_frame_that_can_not_be_read_is_counted_and_the_next_one_is_taken() -> None:
    broken = (5).to_bytes(4, "little") + b"\xc1\xc1\xc1\xc1\xc1"
    pipeline, spans, transport = read(broken + frame(EXCHANGE))
    assert pipeline.activity.faults == {"frame": 1}
    assert spans.recorded == 1
    assert transport.written == b"\x01\x01"


def test_many_records_are_taken_in_at_once() -> None:
    async def feed() -> int:
        spans = Spans()
        reader = TapReader(Pipeline(config.load({}), None), cast("Any", spans))
        reader.connection_made(FakeTransport().as_transport)
        reader.data_received(frame(*[EXCHANGE] * 5000))
        taken = spans.recorded
        reader.connection_lost(None)
        return taken

    assert asyncio.run(feed()) == 5000
