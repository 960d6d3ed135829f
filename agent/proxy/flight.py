"""One exchange while it is under way: what is known so far, and the bytes kept for the monitor."""

from __future__ import annotations

from collections import deque

import msgspec

from agent.exchange import NO_GRPC_STATUS, Exchange, Flag, Outcome
from agent.proxy.heads import RequestHead
from agent.proxy.tap import Tap
from agent.proxy.trace import Span


class Flight(msgspec.Struct, eq=False):
    """Mutable until it lands as an `Exchange`. A struct, because it is made once per exchange and C fills in the defaults.

    Parameters
    ----------
    head
        The request's facts.
    start_ns
        The first byte of the request, by the monotonic clock.
    """

    head: RequestHead
    start_ns: int
    sent_ns: int = 0
    first_byte_ns: int = 0
    status: int = 0
    flags: int = 0
    request_size: int = 0
    response_size: int = 0
    request_done: bool = False
    response_done: bool = False
    span: Span | None = None
    request: list[bytes] = []
    response: list[bytes] = []

    @property
    def is_plain(self) -> bool:
        """Whether the response's framing is what its head says, whatever the request was."""
        head = self.head
        return self.request_done and head.method != "HEAD" and not head.upgrade

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
            self.land(_COMPLETE, tap)
            return
        request = kept[0]
        tap.free += len(request)
        self.response_size = size
        self._hand_over(request, response, _COMPLETE, tap)

    def land(self, outcome: int, tap: Tap) -> None:
        """Hand the record to the tap, with an `Outcome`; call it once."""
        if self.flags & _LEFT_OUT and self.span is None:
            self._hand_over_bare(outcome, tap)
            return
        request = b"".join(self.request)
        response = b"".join(self.response)
        tap.free += len(request) + len(response)
        self._hand_over(request, response, outcome, tap)

    def _hand_over(self, request: bytes, response: bytes, outcome: int, tap: Tap) -> None:
        head = self.head
        start_ns = self.start_ns
        tap.add(
            Exchange(
                "http/1.1",
                head.method,
                head.target,
                self.status,
                outcome,
                self.flags,
                start_ns + tap.epoch_ns,
                self.sent_ns - start_ns if self.sent_ns else 0,
                self.first_byte_ns - start_ns if self.first_byte_ns else 0,
                tap.now_ns() - start_ns,
                self.request_size,
                self.response_size,
                request,
                response,
                self.span.record if self.span is not None else b"",
            )
        )

    def _hand_over_bare(self, outcome: int, tap: Tap) -> None:
        head = self.head
        start_ns = self.start_ns
        sent_ns = self.sent_ns - start_ns if self.sent_ns else 0
        first_byte_ns = self.first_byte_ns - start_ns if self.first_byte_ns else 0
        end_ns = tap.now_ns() - start_ns
        kind = ("http/1.1", head.method, head.target, self.status, outcome, NO_GRPC_STATUS)
        tap.add_bare(kind, (sent_ns, first_byte_ns, end_ns, self.request_size, self.response_size, 0, 0))


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

    def launch(self, head: RequestHead) -> Flight:
        """Begin an exchange now."""
        flight = Flight(head, self._tap.now_ns())
        self.append(flight)
        return flight

    def land_oldest(self, outcome: int) -> None:
        """Make a record of the oldest exchange, with an `Outcome`."""
        self.popleft().land(outcome, self._tap)

    def land_all(self, outcome: int) -> None:
        """Make records of all of them: the connection is no longer followed."""
        while self:
            self.land_oldest(_COMPLETE if self[0].response_done else outcome)
