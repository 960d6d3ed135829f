"""One exchange while it is under way: what is known so far, and the bytes kept for the monitor."""

from __future__ import annotations

from agent.exchange import Exchange, Flag, Outcome
from agent.proxy.heads import RequestHead
from agent.proxy.tap import Tap
from agent.proxy.trace import Span


class Flight:
    """Mutable until it lands as an `Exchange`.

    Parameters
    ----------
    head
        The request's facts.
    wall_ns, start_ns
        The first byte of the request, by the wall clock and by the monotonic clock.
    """

    __slots__ = (
        "first_byte_ns",
        "flags",
        "head",
        "request",
        "request_done",
        "request_size",
        "response",
        "response_done",
        "response_size",
        "sent_ns",
        "span",
        "start_ns",
        "status",
        "wall_ns",
    )

    def __init__(self, head: RequestHead, wall_ns: int, start_ns: int) -> None:
        self.head = head
        self.wall_ns = wall_ns
        self.start_ns = start_ns
        self.sent_ns = 0
        self.first_byte_ns = 0
        self.status = 0
        self.flags = 0
        self.request_size = 0
        self.response_size = 0
        self.request: list[bytes] = []
        self.response: list[bytes] = []
        self.request_done = False
        self.response_done = False
        self.span: Span | None = None

    def keep_request(self, piece: bytes, tap: Tap, limit: int) -> None:
        """Count a piece of the request, and keep of it what `limit` and the tap allow."""
        self.request_size += len(piece)
        self._keep(piece, self.request, self.request_size, Flag.REQUEST_CUT, tap, limit)

    def keep_response(self, piece: bytes, tap: Tap, limit: int) -> None:
        """Count a piece of the response, and keep of it what `limit` and the tap allow."""
        self.response_size += len(piece)
        self._keep(piece, self.response, self.response_size, Flag.RESPONSE_CUT, tap, limit)

    def _keep(self, piece: bytes, kept: list[bytes], size: int, cut: int, tap: Tap, limit: int) -> None:
        if self.flags & (cut | Flag.BODIES_LEFT_OUT):
            return
        if not tap.room:
            self.flags |= Flag.BODIES_LEFT_OUT
            self._let_go(tap)
            return
        if size > limit:
            self.flags |= cut
            piece = piece[: limit - size + len(piece)]
        kept.append(piece)
        tap.held += len(piece)

    def _let_go(self, tap: Tap) -> None:
        tap.held -= sum(map(len, self.request)) + sum(map(len, self.response))
        self.request.clear()
        self.response.clear()

    def land(self, outcome: Outcome, now_ns: int, tap: Tap) -> None:
        """Hand the record to the tap; call it once."""
        request = b"".join(self.request)
        response = b"".join(self.response)
        tap.held -= len(request) + len(response)
        head = self.head
        start_ns = self.start_ns
        tap.add(
            Exchange(
                "http/1.1",
                head.method,
                head.target,
                self.status,
                int(outcome),
                self.flags,
                self.wall_ns,
                self.sent_ns - start_ns if self.sent_ns else 0,
                self.first_byte_ns - start_ns if self.first_byte_ns else 0,
                now_ns - start_ns,
                self.request_size,
                self.response_size,
                request,
                response,
                self.span.record if self.span is not None else b"",
            )
        )
