"""The tap is bounded, and whatever does not get through is counted."""

from __future__ import annotations

from array import array

import msgspec

from agent.config import load
from agent.exchange import BARE_WIDTH, Exchange, Flag, Frame, Outcome
from agent.proxy.counters import Counters
from agent.proxy.tap import Tap
from tests.unit.proxy.fakes import FakeLoop, FakeTransport

LIMIT = 100_000
SETTINGS = load({"OUTRIDER_TAP_BYTES": str(LIMIT), "OUTRIDER_CAPTURE_BYTES": "20KiB"})


def record(size: int = 0) -> Exchange:
    return Exchange("http/1.1", "POST", "/v1", 200, Outcome.COMPLETE, 0, 1, 2, 3, 4, 5, 6, b"q" * size, b"")


def frames(data: bytes) -> list[Frame]:
    found = []
    while data:
        size = int.from_bytes(data[:4], "little")
        found.append(msgspec.msgpack.decode(data[4 : 4 + size], type=Frame))
        data = data[4 + size :]
    return found


class Setup:
    def __init__(self, *, stuck: bool = False, connected: bool = True) -> None:
        self.loop = FakeLoop()
        self.counters = Counters()
        self.tap = Tap(self.loop.as_loop, self.counters, lambda: 7, SETTINGS)
        self.transport = FakeTransport(stuck=stuck)
        if connected:
            self.tap.connection_made(self.transport.as_transport)

    def bare(self) -> list[tuple[int, ...]]:
        numbers = [
            number for frame in frames(self.transport.written) for kind in frame.bare for number in array("q", kind.numbers)
        ]
        return list(zip(*[iter(numbers)] * BARE_WIDTH, strict=True))

    def received(self) -> list[Exchange]:
        return [exchange for frame in frames(self.transport.written) for exchange in frame.exchanges]


def test_a_record_that_belongs_to_a_trace_stays_a_record_without_bodies() -> None:
    setup = Setup()
    traced = msgspec.structs.replace(record(LIMIT), trace=b"t" * 32)
    setup.tap.add(traced)
    setup.loop.advance(0.05)
    assert setup.received() == [msgspec.structs.replace(traced, request=b"", flags=Flag.BODIES_LEFT_OUT)]


def test_a_traced_record_whose_bodies_were_never_kept_counts_as_left_out() -> None:
    setup = Setup()
    setup.tap.add(msgspec.structs.replace(record(), flags=Flag.BODIES_LEFT_OUT, trace=b"t" * 32))
    setup.loop.advance(0.05)
    assert len(setup.received()) == setup.counters.bodies_left_out == 1


def test_kinds_beyond_the_bound_lose_their_target() -> None:
    setup = Setup()
    for number in range(300):
        setup.tap.add(msgspec.structs.replace(record(LIMIT), target=f"/{number}"))
    setup.loop.advance(0.05)
    assert len(setup.bare()) == 300
    targets = [kind.target for frame in frames(setup.transport.written) for kind in frame.bare]
    assert (len(targets), targets.count("")) == (257, 1)


def test_records_gather_into_one_frame() -> None:
    setup = Setup()
    for _ in range(5):
        setup.tap.add(record(10))
    setup.loop.advance(0.05)
    assert [len(frame.exchanges) for frame in frames(setup.transport.written) if frame.exchanges] == [5]
    assert setup.received()[0] == record(10)


def test_what_is_left_of_a_record_counts_as_unanswered_too() -> None:
    setup = Setup()
    setup.tap.add(record(LIMIT))
    setup.tap.add(record(LIMIT))
    setup.loop.advance(0.05)
    setup.tap.connection_lost(None)
    assert setup.counters.records_dropped == 2


def test_counters_go_along_about_once_a_second() -> None:
    setup = Setup()
    for _ in range(4):
        setup.loop.advance(1.0)
    stats = [frame.stats for frame in frames(setup.transport.written) if frame.stats is not None]
    assert len(stats) == 5
    assert stats[-1].rss_bytes > 1_000_000
    assert stats[-1].cpu_ns > 0
    assert stats[-1].active_requests == 7


def test_bodies_are_left_out_before_records_are_dropped() -> None:
    setup = Setup(stuck=True)
    for _ in range(2000):
        setup.tap.add(record(1000))
        setup.loop.advance(0.05)
    whole = setup.received()
    assert 30 < len(whole) <= LIMIT / 2 / 1000
    assert all(exchange.request for exchange in whole)
    bare = setup.bare()
    assert len(bare) == setup.counters.bodies_left_out > 500
    assert bare[0] == (2, 3, 4, 5, 6, 0, 0)
    assert len(whole) + len(bare) + setup.counters.records_dropped == setup.counters.exchanges == 2000
    assert setup.counters.records_dropped > 0
    assert len(setup.transport.written) < LIMIT + 2000


def test_room_comes_back_when_the_monitor_reads() -> None:
    setup = Setup(stuck=True)
    for _ in range(500):
        setup.tap.add(record(1000))
        setup.loop.advance(0.05)
    assert setup.tap.free < 1000
    setup.transport.written = b""
    setup.tap.add(record())
    setup.loop.advance(0.05)
    assert setup.tap.free > LIMIT / 2 - 1000


def test_without_a_monitor_everything_is_dropped_and_counted() -> None:
    setup = Setup(connected=False)
    for _ in range(7):
        setup.tap.add(record(10))
    assert setup.counters.records_dropped == 7


def test_what_dies_with_a_monitor_is_counted() -> None:
    setup = Setup()
    for _ in range(3):
        setup.tap.add(record(10))
        setup.loop.advance(0.05)
    setup.tap.data_received(b"\x01" * 2)  # the first frame carried only counters
    setup.tap.add(record(10))
    setup.tap.connection_lost(None)
    setup.loop.advance(0.05)
    assert setup.counters.records_dropped == 3
    setup.tap.add(record())
    assert setup.counters.records_dropped == 4


def test_the_next_monitor_takes_over() -> None:
    setup = Setup()
    setup.tap.connection_lost(None)
    setup.transport = FakeTransport()
    setup.tap.connection_made(setup.transport.as_transport)
    setup.tap.add(record(10))
    setup.loop.advance(0.05)
    assert len(setup.received()) == 1


def test_the_end_sends_the_rest_and_the_final_counters() -> None:
    setup = Setup()
    setup.counters.exchanges = 42
    setup.tap.add(record(10))
    setup.tap.finish()
    last = frames(setup.transport.written)[-1]
    assert len(last.exchanges) == 1
    assert last.stats is not None
    assert last.stats.exchanges == 43
    assert setup.transport.ended
