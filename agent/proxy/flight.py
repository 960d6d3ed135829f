"""One exchange while it is under way: what is known so far, and the bytes kept for the monitor."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import msgspec

from agent.exchange import Exchange, Flag, Outcome
from agent.proxy.heads import RequestHead
from agent.proxy.tap import Tap
from agent.proxy.trace import Span

if TYPE_CHECKING:
    from agent.proxy.context import Context


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

    def keep_request(self, piece: bytes, tap: Tap, limit: int) -> None:
        """Count a piece of the request, and keep of it what `limit` and the tap allow."""
        size = self.request_size = self.request_size + len(piece)
        if size <= limit and tap.free > 0 and not self.flags:
            self.request.append(piece)
            tap.free -= len(piece)
        else:
            self._keep_some(piece, self.request, size, Flag.REQUEST_CUT, tap, limit)

    def keep_response(self, piece: bytes, tap: Tap, limit: int) -> None:
        """Count a piece of the response, and keep of it what `limit` and the tap allow."""
        size = self.response_size = self.response_size + len(piece)
        if size <= limit and tap.free > 0 and not self.flags:
            self.response.append(piece)
            tap.free -= len(piece)
        else:
            self._keep_some(piece, self.response, size, Flag.RESPONSE_CUT, tap, limit)

    def _keep_some(self, piece: bytes, kept: list[bytes], size: int, cut: int, tap: Tap, limit: int) -> None:
        if self.flags & (cut | Flag.BODIES_LEFT_OUT):
            return
        if tap.free <= 0:
            self.flags |= Flag.BODIES_LEFT_OUT
            tap.free += sum(map(len, self.request)) + sum(map(len, self.response))
            self.request.clear()
            self.response.clear()
            return
        if size > limit:
            self.flags |= cut
            piece = piece[: limit - size + len(piece)]
        kept.append(piece)
        tap.free -= len(piece)

    def land_whole(self, response: bytes, status: int, first_byte_ns: int, context: Context) -> None:
        """Hand the record to the tap after a response in one piece; call it once, instead of `land`."""
        self.status = status
        self.first_byte_ns = first_byte_ns
        tap = context.tap
        kept = self.request
        size = len(response)
        if self.flags or len(kept) != 1 or size > tap.free or size > context.capture_bytes:
            if self.flags & _LEFT_OUT:
                self.response_size = size
            else:
                self.keep_response(response, tap, context.capture_bytes)
            self.land(_COMPLETE, context)
            return
        request = kept[0]
        tap.free += len(request)
        self.response_size = size
        self._hand_over(request, response, _COMPLETE, context)

    def land(self, outcome: int, context: Context) -> None:
        """Hand the record to the tap, with an `Outcome`; call it once."""
        if self.flags & _LEFT_OUT and self.span is None:
            self._hand_over_bare(outcome, context)
            return
        request = b"".join(self.request)
        response = b"".join(self.response)
        context.tap.free += len(request) + len(response)
        self._hand_over(request, response, outcome, context)

    def _hand_over(self, request: bytes, response: bytes, outcome: int, context: Context) -> None:
        head = self.head
        start_ns = self.start_ns
        context.tap.add(
            Exchange(
                "http/1.1",
                head.method,
                head.target,
                self.status,
                outcome,
                self.flags,
                start_ns + context.epoch_ns,
                self.sent_ns - start_ns if self.sent_ns else 0,
                self.first_byte_ns - start_ns if self.first_byte_ns else 0,
                context.now_ns() - start_ns,
                self.request_size,
                self.response_size,
                request,
                response,
                self.span.record if self.span is not None else b"",
            )
        )

    def _hand_over_bare(self, outcome: int, context: Context) -> None:
        head = self.head
        start_ns = self.start_ns
        sent_ns = self.sent_ns - start_ns if self.sent_ns else 0
        first_byte_ns = self.first_byte_ns - start_ns if self.first_byte_ns else 0
        end_ns = context.now_ns() - start_ns
        kind = (head.method, head.target, self.status, outcome)
        context.tap.add_bare(kind, (sent_ns, first_byte_ns, end_ns, self.request_size, self.response_size))


_LEFT_OUT = Flag.BODIES_LEFT_OUT
_COMPLETE = int(Outcome.COMPLETE)
"""Looking a member up in its enum costs 50 ns, on the path of every exchange."""


class Flights(deque[Flight]):
    """The exchanges under way on one connection, the oldest first: responses come in the order of their requests.

    Parameters
    ----------
    context
        Clocks and the tap.
    """

    __slots__ = ("_context",)

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context

    def launch(self, head: RequestHead) -> Flight:
        """Begin an exchange now."""
        flight = Flight(head, self._context.now_ns())
        self.append(flight)
        return flight

    def land_oldest(self, outcome: int) -> None:
        """Make a record of the oldest exchange, with an `Outcome`."""
        self.popleft().land(outcome, self._context)

    def land_all(self, outcome: int) -> None:
        """Make records of all of them: the connection is no longer followed."""
        while self:
            self.land_oldest(outcome)
