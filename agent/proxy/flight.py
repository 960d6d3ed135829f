"""One exchange while it is under way: what is known so far, and the bytes kept for the monitor."""

from __future__ import annotations

from array import array
from collections import deque

import msgspec

from agent.exchange import MARK, MAX_MARKS, NO_GRPC_STATUS, Exchange, Flag, Outcome
from agent.proxy.heads import RequestHead
from agent.proxy.tap import Tap
from agent.proxy.trace import Span

FROM_CLIENT, FROM_UPSTREAM, COMPRESSED = 0, 1, 2
"""Bits of a mark's second number; the size is above them (`agent.exchange.MARK`)."""


class Flight(msgspec.Struct, eq=False):
    """Mutable until it lands as an `Exchange`. A struct, because it is made once per exchange and C fills in the defaults.

    Parameters
    ----------
    head
        The request's facts.
    start_ns
        The first byte of the request, by the monotonic clock.
    held_ns
        How long the proxy held pieces of the request.
    """

    head: RequestHead
    start_ns: int
    sent_ns: int = 0
    first_byte_ns: int = 0
    held_ns: int = 0
    status: int = 0
    grpc_status: int = NO_GRPC_STATUS
    flags: int = 0
    request_size: int = 0
    response_size: int = 0
    request_messages: int = 0
    response_messages: int = 0
    request_done: bool = False
    response_done: bool = False
    span: Span | None = None
    request: list[bytes] = []
    response: list[bytes] = []
    early: tuple[int, ...] = ()
    """The first mark, or the first of each direction: what a plain call has, and what is not worth a record's bytes."""
    marks: array[int] | None = None

    def keep_request(self, piece: bytes, tap: Tap) -> None:
        """Count a piece of the request, and keep of it what the tap allows."""
        size = self.request_size = self.request_size + len(piece)
        if size <= tap.capture_bytes and tap.free > 0 and not self.flags:
            self.request.append(piece)
            tap.free -= len(piece)
        else:
            self._keep_some(piece, self.request, size, Flag.REQUEST_CUT, tap)

    def keep_response(self, piece: bytes, tap: Tap) -> None:
        """Count a piece of the response, and keep of it what the tap allows."""
        size = self.response_size = self.response_size + len(piece)
        if size <= tap.capture_bytes and tap.free > 0 and not self.flags:
            self.response.append(piece)
            tap.free -= len(piece)
        else:
            self._keep_some(piece, self.response, size, Flag.RESPONSE_CUT, tap)

    def _keep_some(self, piece: bytes, kept: list[bytes], size: int, cut: int, tap: Tap) -> None:
        if self.flags & (cut | Flag.BODIES_LEFT_OUT):
            return
        if tap.free <= 0:
            self.flags |= Flag.BODIES_LEFT_OUT
            tap.free += sum(map(len, self.request)) + sum(map(len, self.response))
            self.request.clear()
            self.response.clear()
            return
        if size > tap.capture_bytes:
            self.flags |= cut
            piece = piece[: tap.capture_bytes - size + len(piece)]
        kept.append(piece)
        tap.free -= len(piece)

    def mark(self, at_ns: int, size: int, bits: int, tap: Tap, *, first: bool) -> None:
        """Note when a piece of a stream passed.

        Parameters
        ----------
        at_ns
            By the monotonic clock.
        size, bits
            Of the piece; `FROM_UPSTREAM` and `COMPRESSED`, or 0.
        first
            Whether it is the first of its direction.
        """
        mark = (at_ns - self.start_ns, size << 2 | bits)
        if first and self.marks is None:
            self.early += mark
            return
        if self.marks is None:
            self.marks = array("q", self.early)
            tap.free -= MARK.size * len(self.early) // 2
        if len(self.marks) >= 2 * MAX_MARKS or tap.free <= 0:
            self.flags |= Flag.MARKS_CUT
            return
        self.marks.extend(mark)
        tap.free -= MARK.size

    def land_whole(self, response: bytes, status: int, first_byte_ns: int, tap: Tap) -> None:
        """Hand the record to the tap after a response in one piece; call it once, instead of `land`."""
        self.status = status
        self.first_byte_ns = self.first_byte_ns or first_byte_ns
        kept = self.request
        size = len(response)
        if self.flags or len(kept) != 1 or self.response_size or size > tap.free or size > tap.capture_bytes:
            if self.flags & _LEFT_OUT:
                self.response_size += size
            else:
                self.keep_response(response, tap)
            self.land(_COMPLETE, tap, first_byte_ns)
            return
        request = kept[0]
        tap.free += len(request)
        self.response_size = size
        self._hand_over(request, response, _COMPLETE, tap, first_byte_ns)

    def land(self, outcome: int, tap: Tap, since_ns: int = 0) -> None:
        """Hand the record to the tap; call it once.

        Parameters
        ----------
        outcome
            An `agent.exchange.Outcome`.
        since_ns
            When the event loop handed over the last piece of the response, by the monotonic clock; 0 where there was none.
        """
        if self.flags & _LEFT_OUT and self.span is None and self.marks is None:
            self._hand_over_bare(outcome, tap, since_ns)
            return
        request = b"".join(self.request)
        response = b"".join(self.response)
        tap.free += len(request) + len(response)
        self._hand_over(request, response, outcome, tap, since_ns)

    def _hand_over(self, request: bytes, response: bytes, outcome: int, tap: Tap, since_ns: int) -> None:
        head = self.head
        start_ns = self.start_ns
        end_ns = tap.now_ns()
        held_ns = self.held_ns + end_ns - since_ns if since_ns else self.held_ns
        held = tap.held  # `Durations.add`, written out
        held.sum_ns += held_ns
        held.counts[(held_ns >> 10).bit_length()] += 1
        marks = b""
        if self.marks is not None:
            marks = self.marks.tobytes()
            tap.free += len(marks)
        tap.add(
            Exchange(
                head.protocol,
                head.method,
                head.target,
                self.status,
                outcome,
                self.flags,
                start_ns + tap.epoch_ns,
                self.sent_ns - start_ns if self.sent_ns else 0,
                self.first_byte_ns - start_ns if self.first_byte_ns else 0,
                end_ns - start_ns,
                self.request_size,
                self.response_size,
                request,
                response,
                self.span.record if self.span is not None else b"",
                self.grpc_status,
                self.request_messages,
                self.response_messages,
                marks,
            )
        )

    def _hand_over_bare(self, outcome: int, tap: Tap, since_ns: int) -> None:
        head = self.head
        start_ns = self.start_ns
        end_ns = tap.now_ns()
        held_ns = self.held_ns + end_ns - since_ns if since_ns else self.held_ns
        held = tap.held  # `Durations.add`, written out
        held.sum_ns += held_ns
        held.counts[(held_ns >> 10).bit_length()] += 1
        tap.add_bare(
            (head.protocol, head.method, head.target, self.status, outcome, self.grpc_status),
            (
                self.sent_ns - start_ns if self.sent_ns else 0,
                self.first_byte_ns - start_ns if self.first_byte_ns else 0,
                end_ns - start_ns,
                self.request_size,
                self.response_size,
                self.request_messages,
                self.response_messages,
            ),
        )


_LEFT_OUT = Flag.BODIES_LEFT_OUT
_COMPLETE = int(Outcome.COMPLETE)
"""Looking a member up in its enum costs 50 ns, on the path of every exchange."""


class Flights(deque[Flight]):
    """The exchanges under way on one connection, the oldest first: responses come in the order of their requests.

    Parameters
    ----------
    tap
        Where their records go.
    """

    __slots__ = ("_tap",)

    def __init__(self, tap: Tap) -> None:
        super().__init__()
        self._tap = tap

    def launch(self, head: RequestHead, start_ns: int = 0) -> Flight:
        """Begin an exchange: now, or when its first byte came."""
        flight = Flight(head, start_ns or self._tap.now_ns())
        self.append(flight)
        return flight

    def land_oldest(self, outcome: int, since_ns: int = 0) -> None:
        """Make a record of the oldest exchange, as `Flight.land` says."""
        self.popleft().land(outcome, self._tap, since_ns)

    def land_all(self, outcome: int) -> None:
        """Make records of all of them: the connection is no longer followed."""
        while self:
            self.land_oldest(_COMPLETE if self[0].response_done else outcome)
