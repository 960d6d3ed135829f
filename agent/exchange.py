"""What the proxy tells the monitor: one record per exchange, and the proxy's own counters.

The records cross a Unix socket as frames. A frame is a 4-byte little-endian length and a MessagePack array
``[exchanges, stats, bare]``; each record is an array too, so field order is the wire order and new fields go to the end.
"""

from __future__ import annotations

from enum import IntEnum

import msgspec


class Outcome(IntEnum):
    """How an exchange ended."""

    COMPLETE = 0
    """The response ended as its framing said."""
    CLIENT_GONE = 1
    """The client closed or reset before the response ended."""
    UPSTREAM_GONE = 2
    """The upstream closed or reset before the response ended."""
    UNREACHABLE = 3
    """The upstream could not be reached; the client got our 503."""
    REFUSED = 4
    """The message was ambiguous; the client got our 400."""
    TUNNEL = 5
    """The connection carried something that is not followed message by message."""


class Flag:
    """Bits of `Exchange.flags`."""

    REQUEST_CUT = 1
    """`request` holds only the first `OUTRIDER_CAPTURE_BYTES` of the request."""
    RESPONSE_CUT = 2
    """`response` holds only the first `OUTRIDER_CAPTURE_BYTES` of the response."""
    BODIES_LEFT_OUT = 4
    """The tap was full: `request` and `response` are empty."""


class Exchange(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One call and its answer, as the proxy saw it.

    Parameters
    ----------
    protocol
        ``http/1.1``, or ``tunnel`` for bytes that are not followed.
    method, target
        As on the request line; the target is still percent-encoded. Empty for a tunnel.
    status
        The status code of the final response, 0 if none came.
    outcome
        An `Outcome`.
    flags
        A sum of `Flag` bits.
    start_ns
        Wall clock, the first byte of the request.
    sent_ns, first_byte_ns, end_ns
        Nanoseconds after `start_ns`: the last byte of the request went out; the first byte of the response came in; the
        last byte of the response went out. 0 where that never happened.
    request_size, response_size
        Bytes on the wire, heads included, however much was captured.
    request, response
        Head and body as on the wire, up to `OUTRIDER_CAPTURE_BYTES` each.
    trace
        Empty where the exchange is not sampled, else 32 bytes: trace id (16), our span's id (8), the parent span's id (8,
        zeros if the trace starts here).
    """

    protocol: str
    method: str
    target: str
    status: int
    outcome: int
    flags: int
    start_ns: int
    sent_ns: int
    first_byte_ns: int
    end_ns: int
    request_size: int
    response_size: int
    request: bytes
    response: bytes
    trace: bytes = b""


class Bare(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Exchanges of one kind whose bodies were left out, as columns: what still counts them exactly when the monitor is behind.

    Parameters
    ----------
    method, target, status, outcome
        As in `Exchange`, the same for all.
    numbers
        int64 in the machine's byte order, `BARE_WIDTH` for each exchange: ``sent_ns``, ``first_byte_ns``, ``end_ns``,
        ``request_size``, ``response_size``, as in `Exchange`.
    """

    method: str
    target: str
    status: int
    outcome: int
    numbers: bytes


BARE_WIDTH = 5
"""Numbers for each exchange in `Bare`."""


class ProxyStats(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Counters of the proxy process since it started, sent along with the records about once a second.

    Parameters
    ----------
    connections
        Client connections open now.
    active_requests
        Requests under way now.
    accepted
        Client connections accepted.
    exchanges
        Exchanges ended, whatever became of their records.
    records_dropped
        Exchanges whose record was dropped: the tap was full or the monitor was away.
    bodies_left_out
        Records sent without bodies because the tap was nearly full.
    unreachable, refused
        Exchanges that the proxy answered itself, with 503 and with 400.
    faults
        Errors of our own inside the proxy that were caught; the exchange went on as a tunnel.
    monitor_restarts
        How often the monitor was started again after it died.
    rss_bytes
        Resident memory of the proxy process.
    cpu_ns
        CPU time of the proxy process, user and system.
    """

    connections: int = 0
    active_requests: int = 0
    accepted: int = 0
    exchanges: int = 0
    records_dropped: int = 0
    bodies_left_out: int = 0
    unreachable: int = 0
    refused: int = 0
    faults: int = 0
    monitor_restarts: int = 0
    rss_bytes: int = 0
    cpu_ns: int = 0


class Frame(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What crosses the socket at once: records in the order in which they ended, and now and then the counters."""

    exchanges: list[Exchange]
    stats: ProxyStats | None = None
    bare: list[Bare] = []
