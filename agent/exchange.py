"""What the proxy tells the monitor: one record per exchange, and the proxy's own counters.

The records cross a Unix socket as frames. A frame is a 4-byte little-endian length and a MessagePack array
``[exchanges, stats, bare]``; each record is an array too, so field order is the wire order and new fields go to the end.
"""

from __future__ import annotations

import struct
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
    """The message was ambiguous or its head too long; the client got our 400 or 431."""
    TUNNEL = 5
    """The connection carried something that is not followed message by message."""
    UNSEEN = 6
    """The connection could not be followed any further; it went on as a tunnel, and how the call ended is not known."""


class Flag:
    """Bits of `Exchange.flags`."""

    REQUEST_CUT = 1
    """`request` holds only the first `OUTRIDER_CAPTURE_BYTES` of the request."""
    RESPONSE_CUT = 2
    """`response` holds only the first `OUTRIDER_CAPTURE_BYTES` of the response."""
    BODIES_LEFT_OUT = 4
    """The tap was full: `request` and `response` are empty."""
    COMPRESSED = 8
    """A gRPC message bore the compressed flag; ``grpc-encoding`` in the head says how."""
    MARKS_CUT = 16
    """`marks` holds only the first `MAX_MARKS` of the stream."""


NO_GRPC_STATUS = -1
"""No ``grpc-status`` came: the exchange is no gRPC, or ended before its trailers."""

MAX_MARKS = 4096
"""Marks kept of one stream: 64 KiB."""

MARK = struct.Struct("=qq")
"""One mark: nanoseconds after the exchange's start, and ``size << 2 | compressed << 1 | from_upstream``."""


class Exchange(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One call and its answer, as the proxy saw it.

    Parameters
    ----------
    protocol
        ``http/1.1``, ``http/2``, ``grpc`` (HTTP/2 whose content type says so), or ``tunnel`` for bytes that are not followed.
    method, target
        As on the request line or in ``:method`` and ``:path``; the target is still percent-encoded. Empty for a tunnel.
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
        Bytes on the wire, heads and the frames of HTTP/2 included, however much was captured.
    request, response
        Head and body, up to `OUTRIDER_CAPTURE_BYTES` each: as on the wire for HTTP/1.1. For HTTP/2 the head is written as text,
        ``POST /path HTTP/2`` or ``HTTP/2 200``, then ``name: value`` lines, then an empty line; the body is the content of the
        DATA frames, without padding.
    trace
        Empty where the exchange is not sampled, else 32 bytes: trace id (16), our span's id (8), the parent span's id (8,
        zeros if the trace starts here).
    grpc_status
        The code of ``grpc-status``, or `NO_GRPC_STATUS`.
    request_messages, response_messages
        gRPC messages that passed whole, however many are marked.
    marks
        When the pieces of a stream passed, as `MARK` after `MARK`, in order: each message of a gRPC call with more than one
        message in a direction; else each piece of a response's body as it arrived, where its length was not known
        beforehand. Empty for a plain call.
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
    grpc_status: int = NO_GRPC_STATUS
    request_messages: int = 0
    response_messages: int = 0
    marks: bytes = b""


class Bare(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Exchanges of one kind whose bodies were left out, as columns: what still counts them exactly when the monitor is behind.

    Parameters
    ----------
    protocol, method, target, status, outcome, grpc_status
        As in `Exchange`, the same for all.
    numbers
        int64 in the machine's byte order, `BARE_WIDTH` for each exchange: ``sent_ns``, ``first_byte_ns``, ``end_ns``,
        ``request_size``, ``response_size``, ``request_messages``, ``response_messages``, as in `Exchange`.
    """

    protocol: str
    method: str
    target: str
    status: int
    outcome: int
    grpc_status: int
    numbers: bytes


BARE_WIDTH = 7
"""Numbers for each exchange in `Bare`."""


DOUBLINGS = 24
"""Buckets of the proxy's own histograms: bucket k counts durations below ``1024 << k`` nanoseconds that no bucket before it
took; the last one takes the rest, from 4.3 s up."""


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
    lost_full, lost_away, lost_died
        Exchanges whose record was lost: too much was waiting for the monitor; there was no monitor; it died with the record.
    bodies_left_out
        Records sent without bodies because the tap was nearly full.
    unreachable, refused
        Exchanges that the proxy answered itself, with 503 and with 4xx.
    connections_refused
        Connections beyond `OUTRIDER_MAX_CONNECTIONS`, answered with 503.
    connections_idle
        Connections closed because nothing happened on them for `OUTRIDER_IDLE_TIMEOUT`.
    handshakes_failed
        Client connections that never came through their TLS handshake.
    upstreams
        Each model server, as `OUTRIDER_UPSTREAM` names it, and 1 if it is ready, else 0.
    faults
        Errors of our own inside the proxy that were caught, and bytes that broke their protocol: the connection went on as a
        tunnel.
    monitor_restarts
        How often the monitor was started again after it died or hung.
    tap_bytes
        Bytes kept for the monitor now: of exchanges under way, of records that gather, of frames that it has not read.
    rss_bytes
        Resident memory of the proxy process.
    cpu_ns
        CPU time of the proxy process, user and system.
    held, held_ns
        How long the proxy held each exchange, request and response together: from when the event loop handed it a piece
        until it was passed on. Counts in `DOUBLINGS` buckets, and their sum in nanoseconds.
    lag, lag_ns
        How late the event loop ran a timer, ten times a second; buckets and sum likewise.
    """

    connections: int = 0
    active_requests: int = 0
    accepted: int = 0
    exchanges: int = 0
    lost_full: int = 0
    lost_away: int = 0
    lost_died: int = 0
    bodies_left_out: int = 0
    unreachable: int = 0
    refused: int = 0
    connections_refused: int = 0
    connections_idle: int = 0
    faults: int = 0
    monitor_restarts: int = 0
    tap_bytes: int = 0
    rss_bytes: int = 0
    cpu_ns: int = 0
    held: tuple[int, ...] = (0,) * DOUBLINGS
    held_ns: int = 0
    lag: tuple[int, ...] = (0,) * DOUBLINGS
    lag_ns: int = 0
    handshakes_failed: int = 0
    upstreams: tuple[tuple[str, int], ...] = ()

    @property
    def records_dropped(self) -> int:
        """All records that were lost, whatever the reason."""
        return self.lost_full + self.lost_away + self.lost_died


class Frame(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What crosses the socket at once: records in the order in which they ended, and now and then the counters."""

    exchanges: list[Exchange]
    stats: ProxyStats | None = None
    bare: list[Bare] = []
