"""The tap: records on their way to the monitor, bounded in bytes, never waited for.

Records gather for `_GATHER_S` and cross the Unix socket as one frame: one encoding and one system call for hundreds of
exchanges. When half of the bound waits, bodies are left out, and what is left of a record is five numbers in a column. When
all of it waits, records are dropped. Both are counted. The monitor answers each frame with one byte once it has taken the
records in, so that what dies with a monitor is counted too.
"""

from __future__ import annotations

import asyncio
from array import array
from collections import deque
from collections.abc import Callable
from typing import cast

import msgspec

from agent.clock import Now, monotonic_ns, wall_ns
from agent.config import Settings
from agent.exchange import BARE_WIDTH, Bare, Exchange, Flag, Frame, ProxyStats
from agent.proxy.counters import Counters

_GATHER_S = 0.02
"""How long records gather. Longer delays the report by as much, shorter wakes the monitor more often on the same core."""

_FRAME_BYTES = 1 << 18
"""A frame is sent at once when it holds this much."""

_LEFT_OUT = Flag.BODIES_LEFT_OUT
_RECORD_BYTES = 200
"""What a record weighs beside its bodies, about."""

_BARE_BYTES = 8 * BARE_WIDTH
_BARE_KINDS = 256
_BARE_TARGET = 1024
"""So many kinds of exchanges get columns in one frame, and targets of so many characters. Clients choose them; beyond the bounds
they are left out too."""

Kind = tuple[str, str, str, int, int, int]
"""Protocol, method, target, status, outcome and gRPC status."""

Numbers = tuple[int, int, int, int, int, int, int]
"""`agent.exchange.Bare.numbers` of one exchange."""

_LOOK_AGAIN_S = 0.002
"""When to look again how much of a frame still waits."""

_STATS_S = 1.0
"""How often the counters go along."""


class Tap(asyncio.Protocol):
    """One for the life of the proxy; it is connected to one monitor after another.

    Parameters
    ----------
    loop
        The event loop that everything here runs on.
    counters
        Where exchanges and losses are counted.
    count_active
        Counts the requests under way; asked once a second, which is cheaper than counting each one up and down.
    settings
        How much of a message is kept, and how much may wait: half of it for bodies, those of exchanges under way included.

    Attributes
    ----------
    free
        Bytes that may still be kept, of exchanges under way and of records alike; whoever keeps some takes them off.
    capture_bytes
        How much of one message is kept.
    held
        Where it is counted how long the proxy held each exchange.
    now_ns
        The monotonic clock of all records.
    epoch_ns
        What makes a wall clock's time of a monotonic one; taken anew every second, because clocks are set.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, counters: Counters, count_active: Callable[[], int], settings: Settings
    ) -> None:
        self._loop = loop
        self._counters = counters
        self.held = counters.held
        self._count_active = count_active
        self._limit = settings.tap_bytes
        self.capture_bytes = settings.capture_bytes
        self.free = settings.tap_bytes // 2
        self.now_ns: Now = monotonic_ns
        self.epoch_ns = wall_ns() - monotonic_ns()
        self._backlog = 0
        self._encoder = msgspec.msgpack.Encoder()
        self._records: list[Exchange] = []
        self._bare: dict[Kind, array[int]] = {}
        self._record_bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None
        self._heart: asyncio.TimerHandle | None = None
        self._unanswered: deque[int] = deque()
        self._waiting_since = 0.0
        self._last_stats = 0.0

    @property
    def depth(self) -> int:
        """Bytes kept for the monitor now."""
        return self._limit // 2 - self.free

    @property
    def unanswered_s(self) -> float:
        """For how long the monitor has answered nothing while frames wait for an answer; 0 where none waits."""
        return self._loop.time() - self._waiting_since if self._unanswered else 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a new monitor."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=self._limit)
        self._last_stats = 0.0
        self._beat()

    def data_received(self, data: bytes) -> None:
        """Take the monitor's answers: one byte a frame."""
        for _ in range(min(len(data), len(self._unanswered))):
            self._unanswered.popleft()
        self._waiting_since = self._loop.time()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why it went makes no difference
        """Count what went with the monitor."""
        self._counters.lost_died += sum(self._unanswered)
        self._unanswered.clear()
        self._transport = None
        self._note_backlog()
        if self._heart is not None:
            self._heart.cancel()

    def add(self, record: Exchange) -> None:
        """Take the record of an exchange that ended; drop it or its bodies where the bound says so."""
        size = len(record.request) + len(record.response)
        if size > self.free or record.flags & _LEFT_OUT:
            self._add_without_bodies(record)
            return
        counters = self._counters
        counters.exchanges += 1
        if self._transport is None or self._record_bytes + self._backlog > self._limit:
            self._lose(1)
            return
        self._records.append(record)
        size += len(record.marks) + _RECORD_BYTES
        self.free -= size
        self._record_bytes += size
        if self._timer is None or self._record_bytes >= _FRAME_BYTES:
            self._gather()

    def _add_without_bodies(self, record: Exchange) -> None:
        if not (record.trace or record.marks):
            kind = (record.protocol, record.method, record.target, record.status, record.outcome, record.grpc_status)
            times = (record.sent_ns, record.first_byte_ns, record.end_ns)
            sizes = (record.request_size, record.response_size, record.request_messages, record.response_messages)
            self.add_bare(kind, times + sizes)
            return
        counters = self._counters
        counters.exchanges += 1
        if self._transport is None or self._record_bytes + self._backlog > self._limit:
            self._lose(1)
            return
        counters.bodies_left_out += 1
        self._records.append(without_bodies(record))
        self._weigh(len(record.marks) + _RECORD_BYTES)

    def add_bare(self, kind: Kind, numbers: Numbers) -> None:
        """Take what is left of an exchange without bodies and without a trace; `numbers` as in `agent.exchange.Bare`."""
        counters = self._counters
        counters.exchanges += 1
        if self._transport is None or self._record_bytes + self._backlog > self._limit:
            self._lose(1)
            return
        counters.bodies_left_out += 1
        column = self._bare.get(kind)
        if column is None:
            if len(self._bare) >= _BARE_KINDS or len(kind[2]) > _BARE_TARGET:
                kind = (*kind[:2], "", *kind[3:])
            column = self._bare.setdefault(kind, array("q"))
        column.extend(numbers)
        self.free -= _BARE_BYTES
        self._record_bytes += _BARE_BYTES
        if self._timer is None or self._record_bytes >= _FRAME_BYTES:
            self._gather()

    def _lose(self, records: int) -> None:
        """Count records that are dropped, under the reason."""
        if self._transport is None:
            self._counters.lost_away += records
        else:
            self._counters.lost_full += records

    def _weigh(self, size: int) -> None:
        self.free -= size
        self._record_bytes += size
        self._gather()

    def _gather(self) -> None:
        """Send what has gathered, now or soon."""
        if self._record_bytes >= _FRAME_BYTES:
            self.flush()
        elif self._timer is None:
            self._timer = self._loop.call_later(_GATHER_S, self.flush)

    def flush(self) -> None:
        """Send what has gathered."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._note_backlog()  # what the monitor has read meanwhile; without this, a tap that was full would stay so
        records, self._records = self._records, []
        bare, self._bare = [Bare(*kind, numbers.tobytes()) for kind, numbers in self._bare.items()], {}
        count = len(records) + sum(len(kind.numbers) for kind in bare) // _BARE_BYTES
        self.free += self._record_bytes
        self._record_bytes = 0
        if self._transport is None:
            self._lose(count)
            return
        now = self._loop.time()
        stats: ProxyStats | None = None
        if now - self._last_stats >= _STATS_S:
            self._last_stats = now
            stats = self._stats()
        if not count and (stats is None or self._backlog > self._limit):
            return  # nothing to say, or nobody who listens: a monitor that hangs gets no more counters
        payload = self._encoder.encode(Frame(records, stats, bare))
        if not self._unanswered:
            self._waiting_since = now
        self._unanswered.append(count)
        self._transport.write(len(payload).to_bytes(4, "little") + payload)
        self._note_backlog()
        if self._backlog:
            self._loop.call_later(_LOOK_AGAIN_S, self._note_backlog)  # most of it is usually gone in a moment

    def _stats(self) -> ProxyStats:
        self.epoch_ns = wall_ns() - self.now_ns()
        return self._counters.stats(self._count_active(), self.depth)

    def _note_backlog(self) -> None:
        backlog = self._transport.get_write_buffer_size() if self._transport is not None else 0
        self.free += self._backlog - backlog
        self._backlog = backlog

    def _beat(self) -> None:
        """Send the counters when nothing else is going on."""
        if self._transport is not None:
            self.flush()
            self._heart = self._loop.call_later(_STATS_S, self._beat)

    def finish(self) -> None:
        """Send the rest and the final counters, then end the stream; the monitor exports a last time and goes."""
        self._last_stats = 0.0
        self.flush()
        if self._transport is not None:
            self._transport.write_eof()
            self._transport = None
            if self._heart is not None:
                self._heart.cancel()


def without_bodies(record: Exchange) -> Exchange:
    """Give the record without what was captured."""
    return msgspec.structs.replace(record, request=b"", response=b"", flags=record.flags | Flag.BODIES_LEFT_OUT)
