"""HTTP/1 on one link: requests and responses are passed on as they come, and followed (RFC 9112).

A request's head is read before it goes out, because it may have to be refused; everything else goes out first and is looked
at afterwards. What can't be followed is relayed as a tunnel.
"""

from __future__ import annotations

from agent.exchange import Outcome
from agent.proxy import answers, heads
from agent.proxy.flight import FROM_UPSTREAM, Flight, Flights
from agent.proxy.framing import MORE, Body, LengthBody, UntilCloseBody, body_of
from agent.proxy.link import Link
from agent.proxy.talk import Talk
from agent.proxy.trace import splice
from agent.proxy.tunnel import Tunnel, become_tunnel

_HEAD_END = b"\r\n\r\n"


class Http1(Talk):
    """The talk of a link that speaks HTTP/1.

    Parameters
    ----------
    link
        The link, connected.
    """

    __slots__ = (
        "_answer_body",
        "_answer_held",
        "_arrived_ns",
        "_body",
        "_context",
        "_flights",
        "_held",
        "_link",
        "_refusal",
        "_refused",
        "_since_ns",
        "_waits",
    )

    def __init__(self, link: Link) -> None:
        self._link = link
        self._context = link.context
        self._flights = Flights(link.context.tap)
        self._body: Body | None = None
        """The rest of the request that is being sent."""
        self._held = b""
        """The start of a head; or, while an upgrade is awaited, whatever the client has sent."""
        self._since_ns = 0
        """When the first byte of the next request came."""
        self._arrived_ns = 0
        """When the last bytes came."""
        self._waits = False
        """The answer to an upgrade is awaited: what the client sends meanwhile waits too, and HTTP may go on. Or a request was
        refused, and nothing goes on."""
        self._refused = heads.named(b"")
        self._refusal = b""
        """Our answer to a request that can't be relayed; it goes out once the responses before it are through."""
        self._answer_body: Body | None = None
        self._answer_held = b""

    def begin(self, held: bytes, since_ns: int) -> None:
        """Take the first bytes of the client, and when they came."""
        self._since_ns = self._arrived_ns = since_ns
        self._follow(held)

    @property
    def calls(self) -> int:
        """Exchanges under way."""
        return len(self._flights)

    @property
    def is_busy(self) -> bool:
        """Whether an exchange is under way or a request has begun to come."""
        return bool(self._flights or self._held)

    @property
    def head_since_ns(self) -> int:
        """When the head began of which a part is still to come; 0 where none has begun."""
        return self._since_ns if self._held and not self._waits else 0

    # Requests

    def from_client(self, data: bytes) -> None:
        """Pass on and follow.

        The first branch is a whole request in one piece with a head seen before, which nearly every request is. It pays for
        being written out: 1.5 µs of 4 per exchange (`tests/bench/proxy.py`).
        """
        link, context = self._link, self._context
        now_ns = context.now_ns()
        if self._body is None and not (self._held or self._waits) and link.upstream is not None:
            end = data.find(_HEAD_END) + 4
            facts = context.known_request(data[:end])
            if facts is not None and end + facts.plain_length == len(data):
                flight = Flight(facts, now_ns)
                link.upstream.write(data)
                flight.sent_ns = sent_ns = context.now_ns()
                flight.held_ns = sent_ns - now_ns
                flight.request_done = True
                flight.keep_request(data, context.tap)
                self._flights.append(flight)
                return
        if self._refusal:
            return
        self._arrived_ns = now_ns
        held, self._held = self._held, b""
        if not held:
            self._since_ns = now_ns
        if self._waits and self._body is None:
            self._hold(held + data)
        else:
            self._follow(held + data)

    def _follow(self, data: bytes) -> None:
        position, size = 0, len(data)
        out: list[bytes] = []
        sent: list[Flight] = []
        try:
            while position < size:
                if self._body is not None:
                    end = self._body.feed(data, position)
                    piece = data[position:end] if end != MORE else data[position:] if position else data
                    position += len(piece)
                    out.append(piece)
                    flight = self._flights[-1]
                    flight.keep_request(piece, self._context.tap)
                    if end != MORE:
                        self._body = None
                        sent.append(flight)
                    continue
                end = data.find(_HEAD_END, position)
                if end < 0 or self._waits:
                    self._hold(data[position:])
                    break
                head = data[position : end + 4] if position or end + 4 < size else data
                self._begin(head, out, sent)
                position = end + 4
        except heads.RefusedError as error:
            self._write(out, sent)
            self._refuse(error, data[position:])
        except Exception as error:  # noqa: BLE001 - no HTTP, or a defect of ours: the bytes go on either way
            self._write(out, sent)
            self._give_up(data[position:], error)
        else:
            self._write(out, sent)

    def _write(self, out: list[bytes], sent: list[Flight]) -> None:
        """Send what was followed; the requests that are whole with it get their time."""
        upstream = self._link.upstream
        if upstream is not None and out:
            if len(out) > 1:
                upstream.writelines(out)
            else:
                upstream.write(out[0])
        if sent:
            now_ns = self._context.now_ns()
            for flight in sent:
                flight.request_done = True
                flight.sent_ns = now_ns
                flight.held_ns = now_ns - self._arrived_ns
                if flight.response_done:
                    self._complete()

    def _begin(self, head: bytes, out: list[bytes], sent: list[Flight]) -> None:
        """Start an exchange."""
        context = self._context
        facts = context.requests.get(head)
        if facts is None:
            if not head.strip(b"\r\n"):
                out.append(head)  # empty lines before a request line mean nothing (RFC 9112 §2.2)
                return
            facts = heads.read_request(head, context.max_head_bytes)
            context.requests.put(head, facts)
        flight = self._flights.launch(facts, self._since_ns)
        body = self._body = body_of(facts.framing, facts.length)
        self._waits = facts.upgrade
        if context.sampler is not None:
            span = flight.span = context.sampler.span(facts.traceparent)
            if span is not None:
                head = splice(head, facts.traceparent, span)
        flight.keep_request(head, context.tap)
        out.append(head)
        if body is None:
            sent.append(flight)

    def _hold(self, rest: bytes) -> None:
        """Keep the start of a head, unless it can't become one; while an upgrade is awaited, keep anything."""
        limit = self._context.max_head_bytes
        if not self._waits:
            heads.check_beginning(rest, limit)
        elif len(rest) > limit:
            self._link.hold_back(True)
        self._held = rest

    def client_ended(self) -> None:
        """Pass the end on, behind what is held; while an upgrade is awaited, both wait."""
        link = self._link
        if self._held and not self._refusal:
            if self._waits:
                return
            held, self._held = self._held, b""
            if link.upstream is not None:
                link.upstream.write(held)
        link.end_upstream()

    # Leaving HTTP

    def _refuse(self, error: heads.RefusedError, rest: bytes) -> None:
        self._refused = heads.named(rest)
        reason = str(error)
        self._context.refuse(reason)
        self._refusal = answers.too_long(reason) if isinstance(error, heads.TooLongError) else answers.refused(reason)
        self._held = b""
        self._waits = True
        self._link.hold_back(True)
        self._answer_refused()

    def _answer_refused(self) -> None:
        """Answer once the responses before it are through."""
        flights = self._flights
        if flights and flights[0].request_done:
            return
        flight = flights[0] if flights else flights.launch(self._refused, self._since_ns)
        has_begun = flight.response_size > 0
        if not has_begun:
            flight.status = 431 if self._refusal.startswith(b"HTTP/1.1 431") else 400
        flights.land_oldest(Outcome.REFUSED)
        if has_begun:
            # The upstream has begun to answer a request whose body went wrong: all that is left is to cut.
            self._link.client.abort()
        else:
            self._link.answer(self._refusal)

    def _give_up(self, rest: bytes, error: Exception) -> None:
        """Relay the rest of the link unseen: it stopped being HTTP that can be followed."""
        self._context.lose_track(error, self._link.lane.upstream)
        self.land(Outcome.UNSEEN)
        if self._refusal:
            self._link.client.abort()
            return
        held, self._held = self._held, b""
        become_tunnel(self._link, held + rest)

    # Responses

    def from_upstream(self, data: bytes) -> None:
        """Pass on, then follow. The first branch is a whole response in one piece with a head seen before."""
        context = self._context
        now_ns = context.now_ns()
        self._link.client.write(data)
        flights = self._flights
        try:
            if flights and self._answer_body is None and not self._answer_held:
                flight = flights[0]
                end = data.find(_HEAD_END) + 4
                facts = context.responses.get(data[:end])
                is_plain = flight.request_done and flight.head.is_plainly_answered
                if is_plain and facts is not None and end + facts.plain_length == len(data):
                    flights.popleft()
                    flight.land_whole(data, facts.status, now_ns, context.tap)
                    if self._refusal or self._link.upstream_has_ended or context.draining:
                        self._completed()
                    return
        except Exception as error:  # noqa: BLE001 - a defect of ours: the bytes are out already
            self._give_up(b"", error)
        else:
            self._follow_answer(data, now_ns)

    def _follow_answer(self, data: bytes, now_ns: int) -> None:
        link = self._link
        if self._answer_held:
            data, self._answer_held = self._answer_held + data, b""
        position, size = 0, len(data)
        try:
            while position < size and link.talk is self:
                if not self._flights or self._flights[0].response_done:
                    raise heads.RefusedError("a response that nobody asked for")
                flight = self._flights[0]
                if self._answer_body is not None:
                    position = self._take_answer(flight, self._answer_body, data, position, now_ns)
                    continue
                end = data.find(_HEAD_END, position)
                if not flight.first_byte_ns:
                    flight.first_byte_ns = now_ns
                if end < 0:
                    self._hold_answer(data[position:])
                    return
                head, position = data[position : end + 4], end + 4
                self._begin_answer(flight, head, now_ns)
        except Exception as error:  # noqa: BLE001 - what can't be read is only no longer followed: the bytes are out already
            self._give_up(b"", error)
        if isinstance(link.talk, Tunnel):
            link.talk.passed_before(sent=size - position)

    def _take_answer(self, flight: Flight, body: Body, data: bytes, position: int, now_ns: int) -> int:
        """Take a piece of a response's body; give where it ends."""
        tap = self._context.tap
        end = body.feed(data, position)
        piece = data[position:end] if end != MORE else data[position:] if position else data
        flight.keep_response(piece, tap)
        if not isinstance(body, LengthBody):
            flight.mark(now_ns, len(piece), FROM_UPSTREAM, tap, first=not flight.early)
        if end != MORE:
            self._answered(flight, now_ns)
        return position + len(piece)

    def _hold_answer(self, rest: bytes) -> None:
        if len(rest) > _LONGEST_ANSWER_HEAD:
            raise heads.RefusedError("a head without an end")
        self._answer_held = rest

    def _begin_answer(self, flight: Flight, head: bytes, now_ns: int) -> None:
        context = self._context
        facts = context.responses.get(head)
        if facts is None:
            facts = heads.read_response(head)
            context.responses.put(head, facts)
        flight.keep_response(head, context.tap)
        status, framing, length, _ = facts
        if status < 200 and status != 101:
            return  # an interim response: the final one is still to come
        flight.status = status
        request = flight.head
        if request.upgrade and (status == 101 or (request.method == "CONNECT" and 200 <= status < 300)):
            flight.response_done = True
            self._go_on_after_upgrade(accepted=True)
            return
        self._answer_body = None if heads.has_no_body(request.method, status) else body_of(framing, length)
        if self._answer_body is None:
            self._answered(flight, now_ns)
        if request.upgrade:
            self._go_on_after_upgrade(accepted=False)

    def _go_on_after_upgrade(self, *, accepted: bool) -> None:
        """Go on after the answer to an upgrade: as a tunnel, or as HTTP as before."""
        link = self._link
        self._waits = False
        held, self._held = self._held, b""
        if accepted:
            self.land(Outcome.TUNNEL)
            become_tunnel(link, held)
        else:
            link.hold_back(False)
            if held:
                self._follow(held)
        if link.client_has_ended:
            link.talk.client_ended()

    def _answered(self, flight: Flight, now_ns: int) -> None:
        self._answer_body = None
        flight.response_done = True
        if flight.request_done:
            self._complete(now_ns)

    def upstream_ended(self) -> bool:
        """End a body that lasts until close. After an answer that came early, the upstream may be reading on."""
        link, flights = self._link, self._flights
        if isinstance(self._answer_body, UntilCloseBody) and flights:
            self._answered(flights[0], 0)
        if flights and flights[0].response_done and not link.client.is_closing():
            link.end_client()  # the client is still sending (RFC 9112 §9.6)
            return True
        return False

    # The end of an exchange, and of all

    def _complete(self, since_ns: int = 0) -> None:
        self._flights.land_oldest(_COMPLETE, since_ns)
        self._completed()

    def _completed(self) -> None:
        """See what is due after an exchange: an answer to a refused request, or the end of the link."""
        if self._refusal:
            self._answer_refused()
        elif self._link.upstream_has_ended:
            self._link.client.close()
        elif self._context.draining:
            self.wind_down()

    def wind_down(self) -> None:
        """Close, unless something is under way."""
        if not self.is_busy:
            self._link.client.close()

    def land(self, outcome: Outcome) -> None:
        """Make records of all exchanges under way."""
        self._flights.land_all(outcome)


_COMPLETE = int(Outcome.COMPLETE)
_LONGEST_ANSWER_HEAD = 1 << 18
"""The upstream is trusted with longer heads than clients; what is longer is relayed, but not followed."""
