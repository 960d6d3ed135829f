"""Both directions of an HTTP/2 connection, followed: one exchange per stream.

Everything here happens after the bytes have passed. Frames that steer the connection (SETTINGS, PING, WINDOW_UPDATE,
PRIORITY, and any unknown ones) concern the two ends and mean nothing here. What a stream holds is freed when it ends, so a
connection of many hours takes no more memory than one of a minute.
"""

from __future__ import annotations

from agent.exchange import Outcome
from agent.proxy.context import Context
from agent.proxy.http2.call import Call
from agent.proxy.http2.fields import AnswerHead, Blocks, CallHead, answer_head, call_head
from agent.proxy.http2.frames import BrokenError, Frames

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""What a client with prior knowledge begins with (RFC 9113 §3.4)."""

MAX_CALLS = 10_000
"""Streams followed at a time on one connection. Servers allow 100 to a few thousand; a hostile client might not ask."""

_COMPLETE = int(Outcome.COMPLETE)


class Calls(dict[int, Call]):
    """The calls under way on one connection, by stream.

    Parameters
    ----------
    context
        Where their records go.
    """

    __slots__ = ("beyond", "context", "last_stream")

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.context = context
        self.last_stream = 0
        """The newest stream of the client."""
        self.beyond = 1 << 31
        """Streams from here on will not be worked on: the server has said goodbye."""

    def land(self, stream: int, outcome: int, since_ns: int = 0) -> None:
        """Make a record of a call: complete, if its response was whole, whatever ended it."""
        call = self.pop(stream)
        call.land(_COMPLETE if call.response_done else outcome, self.context.tap, since_ns)

    def land_all(self, outcome: int) -> None:
        """Make records of all of them."""
        for stream in list(self):
            self.land(stream, outcome)


class Requests(Frames):
    """The frames of the client.

    Parameters
    ----------
    calls
        The calls under way; this direction begins them.
    """

    __slots__ = ("_blocks", "_calls", "_context", "arrived_ns", "passed_ns", "since_ns")

    def __init__(self, calls: Calls) -> None:
        super().__init__(skip=len(PREFACE))
        self._calls = calls
        self._context = calls.context
        self._blocks: Blocks[CallHead] = Blocks(call_head)
        self.arrived_ns = 0
        self.passed_ns = 0

    def headers(self, stream: int, block: bytes, size: int, *, last: bool) -> None:
        """Begin a call; or take its trailers, which end it."""
        facts = self._blocks.read(block)
        calls = self._calls
        call = calls.get(stream)
        if call is None:
            if stream <= calls.last_stream:
                return  # of a stream that is over for us
            if not stream & 1:
                raise BrokenError("a client's stream with an even number")
            if len(calls) >= MAX_CALLS:
                raise BrokenError("too many streams at once")
            calls.last_stream = stream
            context = self._context
            call = calls[stream] = Call(facts.head, self.arrived_ns, is_grpc=facts.is_grpc)
            if context.sampler is not None:
                call.span = context.sampler.span(facts.head.traceparent)
            call.keep_request(facts.text, context.tap)
        call.wire_in += size
        if stream >= calls.beyond:
            calls.land(stream, Outcome.UPSTREAM_GONE)  # it crossed the goodbye
        elif last:
            self._request_ended(stream, call)

    def content(self, stream: int, data: bytes, start: int, end: int, size: int, *, last: bool) -> None:
        """Take a piece of a request."""
        call = self._calls.get(stream)
        if call is None:
            return
        call.wire_in += size
        if start < end:
            call.take_request(data, start, end, self.arrived_ns, self._context.tap)
        if last:
            self._request_ended(stream, call)

    def _request_ended(self, stream: int, call: Call) -> None:
        call.request_done = True
        call.sent_ns = self.passed_ns
        call.held_ns = self.passed_ns - self.arrived_ns
        if call.response_done:
            self._calls.land(stream, _COMPLETE)

    def reset(self, stream: int, size: int) -> None:
        """Land a call that the client gave up."""
        call = self._calls.get(stream)
        if call is not None:
            call.wire_in += size
            self._calls.land(stream, Outcome.CLIENT_GONE)

    def goaway(self, last_stream: int) -> None:
        """Change nothing: the client only takes no more pushes."""


class Responses(Frames):
    """The frames of the model server.

    Parameters
    ----------
    calls
        The calls under way; this direction usually ends them.
    """

    __slots__ = ("_blocks", "_calls", "_context", "arrived_ns")

    def __init__(self, calls: Calls) -> None:
        super().__init__()
        self._calls = calls
        self._context = calls.context
        self._blocks: Blocks[AnswerHead] = Blocks(answer_head)
        self.arrived_ns = 0

    def headers(self, stream: int, block: bytes, size: int, *, last: bool) -> None:
        """Take the head of a response, an interim one, or its trailers."""
        facts = self._blocks.read(block)
        call = self._calls.get(stream)
        if call is None:
            return
        call.wire_out += size
        if facts.grpc_status >= 0:
            call.grpc_status = facts.grpc_status
        if not call.first_byte_ns:
            call.first_byte_ns = self.arrived_ns
        if not call.status and facts.status >= 200:
            call.status = facts.status
            call.marks_content = not (call.is_grpc or facts.has_length)
            call.keep_response(facts.text, self._context.tap)
        if last:
            self._response_ended(stream, call)

    def content(self, stream: int, data: bytes, start: int, end: int, size: int, *, last: bool) -> None:
        """Take a piece of a response."""
        call = self._calls.get(stream)
        if call is None:
            return
        call.wire_out += size
        if start < end:
            call.take_response(data, start, end, self.arrived_ns, self._context.tap)
        if last:
            self._response_ended(stream, call)

    def _response_ended(self, stream: int, call: Call) -> None:
        call.response_done = True
        if call.request_done:
            self._calls.land(stream, _COMPLETE, self.arrived_ns)

    def reset(self, stream: int, size: int) -> None:
        """Land a call that the server broke off, or of whose request it wants no more."""
        call = self._calls.get(stream)
        if call is not None:
            call.wire_out += size
            self._calls.land(stream, Outcome.UPSTREAM_GONE, self.arrived_ns)

    def goaway(self, last_stream: int) -> None:
        """Streams that the server will not work on are over."""
        self._calls.beyond = min(self._calls.beyond, last_stream + 1)
        for stream in [stream for stream in self._calls if stream > last_stream]:
            self._calls.land(stream, Outcome.UPSTREAM_GONE, self.arrived_ns)


class Follower:
    """Follows one connection.

    Parameters
    ----------
    context
        The clock, the sampler, and where records go.
    """

    __slots__ = ("_requests", "_responses", "calls")

    def __init__(self, context: Context) -> None:
        self.calls = Calls(context)
        self._requests = Requests(self.calls)
        self._responses = Responses(self.calls)

    def from_client(self, data: bytes, arrived_ns: int, passed_ns: int) -> None:
        """Take bytes of the client, from the preface on.

        Parameters
        ----------
        arrived_ns, passed_ns
            When the event loop handed them over, and when they were passed on, by the monotonic clock.

        Raises
        ------
        BrokenError
            They can't be followed; call this no more then.
        """
        requests = self._requests
        requests.arrived_ns = arrived_ns
        requests.passed_ns = passed_ns
        requests.cut(data)

    def from_upstream(self, data: bytes, arrived_ns: int) -> None:
        """Take bytes of the model server; otherwise as `from_client`."""
        self._responses.arrived_ns = arrived_ns
        self._responses.cut(data)

    @property
    def may_say_goodbye(self) -> bool:
        """Whether a frame of our own could go to the client now, between two of the server's."""
        return self._responses.is_between_frames
